/**
 * Submissions to a member of a Raft cluster. Its leader takes them, and it alone checks their signatures: the others apply
 * what it has put into the log, as it says, and refuse submitters with its name.
 *
 * Acknowledged means that the event is in a block, and that block's command on the disks of a quorum. Whoever is answered
 * `leadership-lost` does not know, and sends the same event again, to whoever leads: the ledger applies it once.
 */
import { refuse, type Refused } from '../../base/result.ts';
import type { CommittedBlock } from '../../consensus/engine.ts';
import type { Leader } from '../../raft/contract.ts';
import { Submissions, type SubmissionsOptions } from '../submissions.ts';
import {
  DEFAULT_PROPOSER_LIMITS,
  EventProposer,
  type EventProposerOptions,
  type ProposerLimits,
} from './event-proposer.ts';
import type { RaftLedger } from './ledger-machine.ts';

export interface LedgerSubmissionsOptions
  extends
    Pick<SubmissionsOptions, 'maxWaiting' | 'maxWaitMs' | 'nowMs' | 'policy' | 'verifier'>,
    Pick<EventProposerOptions, 'propose'> {
  readonly ledger: Pick<RaftLedger, 'base' | 'ledger'>;
  readonly limits?: ProposerLimits;
}

export class LedgerSubmissions {
  readonly submissions: Submissions;
  #leader: Leader | null = null;
  #leads = false;

  constructor(options: LedgerSubmissionsOptions) {
    const {
      ledger,
      limits = DEFAULT_PROPOSER_LIMITS,
      maxWaiting,
      maxWaitMs,
      nowMs,
      policy,
      propose,
      verifier,
    } = options;
    const proposer = new EventProposer({
      propose,
      nowMs,
      limits,
      rejected: (event, refusal) => this.submissions.rejected(event, refusal),
    });
    this.submissions = new Submissions({
      verifier,
      // Before BASE the ledger remembers nobody.
      durableState: { get: (key) => ledger.ledger?.machine.durable.get(key) },
      policy,
      maxWaiting,
      maxWaitMs,
      nowMs,
      // A leader that hears no quorum leads no longer.
      quorumReachable: () => this.#leads,
      notHere: () => (this.#leads ? beforeBase(ledger) : notLeader(this.#leader)),
      // What its leader lacks, nobody has.
      behindGraceMs: 0,
      admit: (event) => proposer.admit(event),
    });
  }

  /** For `RaftServerOutlets`. */
  leaderChanged(leader: Leader | null, isSelf: boolean): void {
    this.#leader = leader;
    this.#leads = isSelf;
  }

  /** For `LedgerOutlets`. */
  committed(blocks: readonly CommittedBlock[]): void {
    this.submissions.committed(blocks);
  }
}

function notLeader(leader: Leader | null): Refused {
  return refuse('not-leader', 'this member does not lead; submit to the one that does', {
    leader: leader?.id ?? null,
    address: leader?.address ?? null,
  });
}

function beforeBase({ base }: Pick<RaftLedger, 'base'>): Refused | undefined {
  if (base !== null) return undefined;
  return refuse('before-base', 'the cluster has members of the older system, and takes no events until BASE');
}
