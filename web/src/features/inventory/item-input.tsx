import { useDeferredValue, useId } from "react";
import { Input } from "@/ui/field";
import { useItemChoice } from "./queries";

/** A SKU, typed or chosen from the items that fit. The server says when there is no such item. */
export function ItemInput(props: {
  label: string;
  value: string;
  onChange: (sku: string) => void;
  optional?: boolean;
}) {
  const list = useId();
  const asked = useDeferredValue(props.value.trim());
  const items = useItemChoice(asked);
  return (
    <>
      <Input
        label={props.label}
        required={!props.optional}
        list={list}
        autoComplete="off"
        className="font-mono"
        value={props.value}
        onChange={(event) => props.onChange(event.target.value)}
      />
      <datalist id={list}>
        {items.data?.map((item) => (
          <option key={item.sku} value={item.sku}>
            {item.title}
          </option>
        ))}
      </datalist>
    </>
  );
}
