import { compileMessage } from "@lingui/message-utils/compileMessage";

/** What this looks at of Babel's syntax tree. */
interface Node {
  type: string;
  name?: string;
  key?: Node;
  value?: Node | string;
  properties?: Node[];
}

/** The length of the ids that Lingui's macro makes. */
const ID_LENGTH = 6;

const isNamed = (node: Node, name: string) => node.key?.name === name || node.key?.value === name;
const text = (node: Node | undefined): string | null => {
  const value = node?.value as Node | undefined;
  return value?.type === "StringLiteral" ? (value.value as string) : null;
};

/**
 * A Babel plugin to run after Lingui's macro: the English of `{ id, message }` is compiled where it stands. Each page brings its
 * own words: the first load carries no catalogue of all pages and no compiler of messages.
 */
export function compileEnglish({ types }: { types: { valueToNode: (value: unknown) => Node } }) {
  return {
    visitor: {
      ObjectProperty({ node, parent }: { node: Node; parent: Node }) {
        const english = isNamed(node, "message") ? text(node) : null;
        const id = text(parent.properties?.find((one) => isNamed(one, "id")));
        if (english !== null && id?.length === ID_LENGTH) node.value = types.valueToNode(compileMessage(english));
      },
    },
  };
}
