/** Committed blocks as one server gives them, each verified by its seal. */
import { ok, refuse, type Refusal, type Result } from '../base/result.ts';
import type { VerifiedSealedBlock } from '../consensus/engine.ts';
import type { BlockSyncClient } from '../net/block-sync.ts';
import type { PeerTarget } from '../net/host.ts';
import type { Admission } from './admit.ts';
import { asked } from './asked.ts';
import { allInParts } from './in-parts.ts';

/** Asked for at once: each seal costs a pairing of about 2 ms. */
export const SEALED_PER_REQUEST = 128;
export const FETCH_DEADLINE_MS = 5_000;

export interface SealedQuestion {
  readonly client: Pick<BlockSyncClient, 'sealed'>;
  readonly admission: Pick<Admission, 'sealedBlock'>;
  readonly from: PeerTarget;
  readonly fromHeight: number;
  readonly maxBlocks?: number;
}

/** From this height on, without a gap; at least one. `isFalse`: an honest server would not have said it. */
export type SealedAnswer =
  | { readonly ok: true; readonly value: readonly VerifiedSealedBlock[] }
  | { readonly ok: false; readonly refusal: Refusal; readonly isFalse: boolean };

/** What came before a bad block is kept. Refusals: of the exchange, of admission, `fetch-answer-wrong`, `fetch-unserved`. */
export async function askForSealed(question: SealedQuestion): Promise<SealedAnswer> {
  const { admission, client, from, fromHeight, maxBlocks = SEALED_PER_REQUEST } = question;
  const encoded = await asked(client.sealed(from, fromHeight, { deadlineMs: FETCH_DEADLINE_MS, maxBlocks }));
  if (!encoded.ok) return { ...encoded, isFalse: encoded.refusal.code === 'answer-invalid' };
  // A block may hold 2,000 events, and decoding them takes 100 ms.
  const checked = await allInParts(encoded.value, 1, (bytes) => admission.sealedBlock(bytes, 'sync'));
  const blocks = inOrder(checked, fromHeight);
  return blocks.ok
    ? blocks
    : { ...blocks, isFalse: ['fetch-unserved', 'verification-busy'].includes(blocks.refusal.code) === false };
}

function inOrder(
  checked: readonly Result<VerifiedSealedBlock>[],
  fromHeight: number,
): Result<readonly VerifiedSealedBlock[]> {
  const blocks: VerifiedSealedBlock[] = [];
  for (const result of checked) {
    if (result.ok && result.value.block.header.height === fromHeight + blocks.length) blocks.push(result.value);
    else if (blocks.length > 0) break;
    else if (!result.ok) return result;
    else return refuse('fetch-answer-wrong', 'the server answered with other heights', { fromHeight });
  }
  if (blocks.length > 0) return ok(blocks);
  return refuse('fetch-unserved', 'the server has no block from this height on', { fromHeight });
}
