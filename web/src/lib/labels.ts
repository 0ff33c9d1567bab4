import { i18n, type MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

const STAGE_NAMES: Record<string, MessageDescriptor> = {
  Filling: msg`Filling`,
  Covering: msg`Covering`,
  Decorating: msg`Decorating`,
  Packing: msg`Packing`,
  Complete: msg`Complete`,
};
const PRIORITY_NAMES: Record<string, MessageDescriptor> = {
  High: msg`High`,
  Medium: msg`Medium`,
  Low: msg`Low`,
};
const DELIVERY_NAMES: Record<string, MessageDescriptor> = { Pickup: msg`Pickup`, Delivery: msg`Delivery` };

/** The events that people see in a timeline; others show their own name. */
const EVENT_NAMES: Record<string, MessageDescriptor> = {
  "order.created": msg`Order arrived`,
  "barcode.printed": msg`Barcode printed again`,
  "filling.started": msg`Filling started`,
  "filling.completed": msg`Filling done`,
  "covering.started": msg`Covering started`,
  "covering.completed": msg`Covering done`,
  "decorating.started": msg`Decorating started`,
  "decorating.completed": msg`Decorating done`,
  "packing.started": msg`Packing started`,
  "packing.completed": msg`Packing done`,
  "order.assigned": msg`Assigned`,
  "order.unassigned": msg`Back to the pool`,
  "order.stored": msg`Storage changed`,
  "order.priority": msg`Priority changed`,
  "order.due_date": msg`Due date changed`,
  "order.edited": msg`Ticket edited`,
  "order.reviewed": msg`Reviewed`,
  "order.cancelled": msg`Cancelled`,
  "order.undone": msg`Undone`,
  "order.qc_returned": msg`Sent back to Decorating`,
  "order.change_acknowledged": msg`Change acknowledged`,
  "order.change_pending": msg`Customer changed the order`,
  "order.changed": msg`Order changed`,
  "scan.refused": msg`Scan refused`,
};

const named = (names: Record<string, MessageDescriptor>) => (key: string) => {
  const known = names[key];
  return known ? i18n._(known) : key;
};

export const stageName = named(STAGE_NAMES);
export const priorityName = named(PRIORITY_NAMES);
export const deliveryName = named(DELIVERY_NAMES);
export const eventName = named(EVENT_NAMES);

const COMMAND_NAMES: Record<string, MessageDescriptor> = {
  handle_print_barcode: msg`Start Filling`,
  start_covering: msg`Start Covering`,
  start_decorating: msg`Start Decorating`,
  start_packing: msg`Start Packing`,
  complete_filling: msg`Filling is done`,
  complete_covering: msg`Covering is done`,
  complete_decorating: msg`Decorating is done`,
  complete_packing: msg`Packing is done`,
  assign_staff: msg`Assign`,
  unassign_staff: msg`Back to the pool`,
  assign_staff_bulk: msg`Assign several`,
  set_storage: msg`Set storage`,
  set_priority: msg`Set priority`,
  set_due_date: msg`Change due date`,
  update_order_core: msg`Edit ticket`,
  acknowledge_order_change: msg`Acknowledge the change`,
  mark_reviewed: msg`Mark as reviewed`,
  qc_return_to_decorating: msg`Send back to Decorating`,
  cancel_order: msg`Cancel the order`,
};
export const commandName = named(COMMAND_NAMES);
