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
  "order.updated": msg`Changed by the customer before work began`,
  "scan.refused": msg`Scan refused`,
};

const named = (names: Record<string, MessageDescriptor>) => (key: string) => {
  const known = names[key];
  return known ? i18n._(known) : key;
};

/** The columns of a ticket that a customer's change may touch. */
const FIELD_NAMES: Record<string, MessageDescriptor> = {
  customer_name: msg`Customer`,
  product_title: msg`Product`,
  flavour: msg`Flavour`,
  size: msg`Size`,
  cake_writing: msg`Writing on the cake`,
  notes: msg`Notes`,
  accessories: msg`Goes with it`,
  delivery_method: msg`Delivery`,
  due_date: msg`Due date`,
  due_time: msg`Time window`,
  priority: msg`Priority`,
};
/** Why a ticket waits for a person before it is made. */
const REVIEW_NAMES: Record<string, MessageDescriptor> = {
  no_due_date: msg`It has no due date.`,
  no_size: msg`It has no size.`,
  no_flavour: msg`It has no flavour.`,
  no_customer: msg`It has no customer.`,
  no_method: msg`Pickup or delivery is not known.`,
  unmatched: msg`The customer wrote something that no rule understands; it stands in the notes.`,
  accessories_only: msg`Only accessories were ordered.`,
  already_fulfilled: msg`The shop had sent it already when it arrived here.`,
};

export const stageName = named(STAGE_NAMES);
export const priorityName = named(PRIORITY_NAMES);
export const deliveryName = named(DELIVERY_NAMES);
export const eventName = named(EVENT_NAMES);
export const fieldName = named(FIELD_NAMES);
export const reviewName = named(REVIEW_NAMES);

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
  start_step: msg`Start the step`,
  pause_step: msg`Pause the step`,
  complete_step: msg`End the step`,
  report_production: msg`Report pieces`,
  record_quality: msg`Report pieces that are not good`,
  record_count: msg`Read the counter`,
  consume_lot: msg`Use material`,
  start_stop: msg`It stands`,
  end_stop: msg`It runs again`,
  answer_stop: msg`I am on it`,
  classify_stop: msg`Why it stood`,
  report_repair: msg`Report a problem`,
  acknowledge_repair: msg`I have seen the repair`,
  start_repair: msg`Begin the repair`,
  wait_repair: msg`The repair has to wait`,
  complete_repair: msg`The repair is done`,
  verify_repair: msg`The repair was tried`,
  close_repair: msg`Close the repair`,
};
const nameOfCommand = named(COMMAND_NAMES);
/** What people call a command; of one that only waits for its answer, its own words. */
export const commandName = (rpc: string): string => nameOfCommand(rpc).replaceAll("_", " ");
