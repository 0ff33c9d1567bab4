import { Search } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Input } from "./field";

const PAUSE_MS = 250;

/** A search field that tells what was typed when the typing pauses; `/` puts the cursor into it. */
export function SearchBox(props: {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
}) {
  const { value } = props;
  const [text, setText] = useState(value);
  const told = useRef(value);
  const tell = useRef(props.onChange);
  tell.current = props.onChange;
  useEffect(() => {
    if (value !== told.current) setText(value); // the address changed by itself
    told.current = value;
  }, [value]);
  useEffect(() => {
    if (text === told.current) return;
    const timer = setTimeout(() => {
      told.current = text;
      tell.current(text);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div className="relative min-w-48 flex-1 sm:max-w-72">
      <Input
        quiet
        id="search-box"
        type="search"
        label={props.label}
        placeholder={props.placeholder}
        className="pl-10"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Search aria-hidden className="absolute bottom-3 left-3 text-soft" />
    </div>
  );
}
