import { explain } from "@/lib/messages";
import { RpcError } from "@/lib/rpc";

/** Which field the server named, if any, and what it said. */
export interface Problem {
  field: string | null;
  text: string;
}

export const problemOf = (error: unknown): Problem => ({
  field: error instanceof RpcError && typeof error.details.field === "string" ? error.details.field : null,
  text: explain(error),
});

/** What the server said about the whole form, or about a field that does not show it itself (`except`: those that do). */
export function ProblemLine({ of, except = [] }: { of: Problem | null; except?: string[] }) {
  if (!of || except.includes(of.field ?? "")) return null;
  return (
    <p role="alert" className="font-medium text-bad">
      {of.text}
    </p>
  );
}
