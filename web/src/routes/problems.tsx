import { Trans } from "@lingui/react/macro";
import { LinkButton } from "@/ui/button";
import { Failed } from "@/ui/states";

export function Missing() {
  return (
    <main className="flex flex-col items-center gap-4 p-10 text-center">
      <h1 className="text-2xl font-bold">
        <Trans>This page does not exist.</Trans>
      </h1>
      <LinkButton to="/board" look="primary">
        <Trans>Go to the board</Trans>
      </LinkButton>
    </main>
  );
}

/** A defect in a page: say so and offer to start again. */
export function RouteProblem({ error }: { error: unknown }) {
  return (
    <main className="p-6">
      <Failed error={error} retry={() => location.reload()} />
    </main>
  );
}
