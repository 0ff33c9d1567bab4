import { command } from "@/lib/commands";
import { drawLabel } from "@/lib/label/picture";
import { rpc } from "@/lib/rpc";
import type { LabelProof, ProofCase } from "./types";

/**
 * Draws every case of a version and reads its codes back; the database judges and keeps the proof.
 * True when it passed at every resolution. Throws RpcError, or Error when a label cannot be drawn here.
 */
export async function proveVersion(version: number, onCase: (done: number, of: number) => void): Promise<boolean> {
  const cases = await rpc<ProofCase[]>("label_proof_cases", { p_version_id: version });
  const results: { case_no: number; read: object[] }[] = [];
  for (const one of cases) {
    onCase(results.length, cases.length);
    const shape = { zpl: one.payload, widthMm: one.width_mm, heightMm: one.height_mm, dpi: one.dpi };
    const { codes } = await drawLabel(shape, true);
    results.push({ case_no: one.case_no, read: codes });
  }
  const answer = await command<LabelProof[]>("record_label_proof", {
    p_version_id: version,
    p_results: results,
  } as never);
  return answer.state === "done" && answer.data.every((proof) => proof.passed);
}
