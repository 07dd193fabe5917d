/** What validators have proposed and a quorum has not approved yet, for those who are to approve it. */
import type { Hash } from '../base/hash.ts';
import type { QuorumAction } from '../ledger/event-schema.ts';
import { openProposals, readProposal } from '../ledger/quorum-actions.ts';
import type { StateReader } from '../ledger/state.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';

export interface OpenProposal {
  /** Event id of the proposal. */
  readonly id: Hash;
  readonly proposer: string;
  readonly action: QuorumAction;
  /** Unix seconds, block time: void after it. */
  readonly expires: number;
  /** Peer ids, the proposer's among them. */
  readonly approvedBy: readonly string[];
}

/** Those that have expired by this block time are left out; at most four a validator. */
export function openProposalsOf(
  state: StateReader,
  validators: ValidatorSet,
  timestamp: number,
): readonly OpenProposal[] {
  return validators.members.flatMap(({ peerId }) =>
    openProposals(state, peerId).flatMap((id) => {
      const proposal = readProposal(state, id);
      if (proposal === undefined || proposal.expires < timestamp) return [];
      const { action, approvals, expires, proposer } = proposal;
      return [{ id, proposer, action, expires, approvedBy: approvals.map((index) => validators.member(index).peerId) }];
    }),
  );
}
