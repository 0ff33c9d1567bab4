import { Plus } from "lucide-react";
import { type ReactNode, useState } from "react";
import { may, session } from "@/lib/session";
import { useStore } from "@/lib/store";
import { Button } from "@/ui/button";

/** Which entry of a list is open in its dialog, if any; and the button for a new one, for who may edit. */
export function useEditor<T>(newOne: ReactNode) {
  const { who } = useStore(session);
  const [editing, setEditing] = useState<T | "new" | null>(null);
  const mayEdit = may(who, "inventory.manage");
  const tools = mayEdit && (
    <Button onClick={() => setEditing("new")}>
      <Plus aria-hidden className="size-5" /> {newOne}
    </Button>
  );
  return { editing, setEditing, mayEdit, tools };
}
