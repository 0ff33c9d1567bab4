import { WEDGE_DEFAULTS, WedgeMachine, type WedgeOptions } from "./machine";

export interface WedgeEvents {
  onScan(code: string): void;
  onCut(): void;
  /** One key alone, outside of fields: a shortcut. */
  onKey(key: string): void;
}

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
interface Snapshot {
  field: Field;
  value: string;
}

function focusedField(): Field | null {
  const active = document.activeElement;
  if (active instanceof HTMLTextAreaElement || active instanceof HTMLSelectElement) return active;
  const types = ["checkbox", "radio", "button", "submit", "range", "color", "file"];
  return active instanceof HTMLInputElement && !types.includes(active.type) ? active : null;
}

/** Puts a field back to what it held before the scanner typed into it, so that React sees it too. */
function restore({ field, value }: Snapshot): void {
  if (field.value === value || !field.isConnected) return;
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value")?.set?.call(field, value);
  field.dispatchEvent(new Event(field instanceof HTMLSelectElement ? "change" : "input", { bubbles: true }));
}

/** The character a scanner's key stands for, or null. Ctrl+] is the GS of GS1 codes; AltGr characters come with Ctrl+Alt. */
function characterOf(event: KeyboardEvent): string | null {
  if (event.ctrlKey && !event.altKey) return event.key === "]" ? "\x1d" : null;
  if (event.metaKey || event.isComposing) return null;
  return event.key.length === 1 ? event.key : null;
}

/**
 * Listens for a keyboard-wedge scanner wherever the focus is, until the returned function is called. Typing is left
 * alone; a recognised scan is taken back out of the field it went into. Passwords are never looked at, except in a field
 * with data-scan: a badge may be scanned over a PIN.
 */
export function captureWedge(events: WedgeEvents, options: WedgeOptions = WEDGE_DEFAULTS): () => void {
  const machine = new WedgeMachine(options);
  let before: Snapshot | null = null;
  let alone: ReturnType<typeof setTimeout> | undefined;

  function begin(character: string, event: KeyboardEvent, field: Field | null): void {
    before = field ? { field, value: field.value } : null;
    const editable = (document.activeElement as HTMLElement | null)?.isContentEditable;
    if (!field && !editable && !event.ctrlKey && !event.altKey) alone = setTimeout(() => events.onKey(character), 260);
  }

  function onCharacter(character: string, event: KeyboardEvent): void {
    const step = machine.char(character, event.timeStamp);
    clearTimeout(alone);
    if (step.kind !== "char") return;
    const field = focusedField();
    if (step.first) begin(character, event, field);
    // Characters of a code must not choose in a list, nor its spaces press a button.
    else if (step.fast && (field ? field instanceof HTMLSelectElement : character === " ")) event.preventDefault();
  }

  function onEnd(event: KeyboardEvent): void {
    clearTimeout(alone);
    const step = machine.end(event.timeStamp);
    if (step.kind !== "scan" && step.kind !== "cut") return;
    event.preventDefault();
    event.stopPropagation();
    if (before) restore(before);
    before = null;
    if (step.kind === "scan") events.onScan(step.code);
    else events.onCut();
  }

  function onKeyDown(event: KeyboardEvent): void {
    const field = focusedField();
    if (field instanceof HTMLInputElement && field.type === "password" && !field.dataset.scan) return;
    if (event.key === "Enter" || event.key === "Tab") {
      onEnd(event);
      return;
    }
    const character = characterOf(event);
    if (character !== null) onCharacter(character, event);
    else if (!["Shift", "Control", "Alt", "AltGraph", "CapsLock", "Unidentified", "Process"].includes(event.key))
      machine.reset();
  }

  /** Android scanners send keys without a name; their text comes with the input event. */
  function onBeforeInput(event: InputEvent): void {
    const field = focusedField();
    if (!unnamed || event.inputType !== "insertText" || !event.data || !field) return;
    for (const character of event.data) {
      const step = machine.char(character, event.timeStamp);
      if (step.kind === "char" && step.first) before = { field, value: field.value };
    }
  }
  let unnamed = false;
  const noteUnnamed = (event: KeyboardEvent) => {
    unnamed = event.key === "Unidentified" || event.keyCode === 229;
  };

  window.addEventListener("keydown", noteUnnamed, true);
  window.addEventListener("keydown", onKeyDown, true);
  window.addEventListener("beforeinput", onBeforeInput, true);
  const reset = () => machine.reset(); // a scanner does not point
  window.addEventListener("pointerdown", reset, true);
  return () => {
    clearTimeout(alone);
    window.removeEventListener("keydown", noteUnnamed, true);
    window.removeEventListener("keydown", onKeyDown, true);
    window.removeEventListener("beforeinput", onBeforeInput, true);
    window.removeEventListener("pointerdown", reset, true);
  };
}
