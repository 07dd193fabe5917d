/** What applying an entry of a Raft log gives to whoever proposed it, and to the rest of the node. */
import type { Refusal } from '../../base/result.ts';
import type { CommittedBlock } from '../../consensus/engine.ts';
import type { EventOutcome } from '../../ledger/raft-chain.ts';

export type LedgerOutcome =
  /** A command from BASE on made this block; `refusal`: why the command as a whole changed nothing, or null. */
  | {
      readonly kind: 'block';
      readonly committed: CommittedBlock;
      readonly events: readonly EventOutcome[];
      readonly refusal: Refusal | null;
    }
  /** A command before BASE changed the older system's state, or was refused. */
  | { readonly kind: 'value'; readonly refusal: Refusal | null }
  /** The entry is BASE, and made the first block. */
  | { readonly kind: 'base'; readonly committed: CommittedBlock; readonly imported: number }
  /** No entry that the ledger knows of, or one that changes nothing by itself. */
  | { readonly kind: 'nothing' };

/** The blocks that entries made, in their order. */
export function blocksOf(outcomes: readonly LedgerOutcome[]): readonly CommittedBlock[] {
  return outcomes.flatMap((outcome) =>
    outcome.kind === 'block' || outcome.kind === 'base' ? [outcome.committed] : [],
  );
}
