/** An observer: the follower engine in the same loop. It executes what validators sealed, and never votes. */
import { assert } from '../base/assert.ts';
import type { CommittedBlock, Effect, Input, ValidatorIndex } from '../consensus/engine.ts';
import { Follower } from '../consensus/follower.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import type { Consensus, ConsensusOutlets } from './consensus.ts';
import { validatorTarget, type NetworkedCore } from './core.ts';
import { Fetching } from './fetching.ts';
import { Loop } from './loop.ts';
import { prunedWatch } from './pruned-watch.ts';
import { Runner } from './runner.ts';
import { inboxShares, turnPlanner } from './turn-planner.ts';

/** An idle network says nothing; a block whose announcement was lost is found this late at most. */
const POLL_MS = 15_000;
/** Also the least time between two questions that bring nothing, however much is announced. */
const RETRY_MS = 1_000;
const FETCH_TIMEOUT_MS = 10_000;

export interface ObserverOutlets extends ConsensusOutlets {
  /** Asked before blocks are. @returns false where they are not wanted any more */
  readonly mayFetch: (fromHeight: number) => Promise<boolean>;
}

export function startObserver(core: NetworkedCore, outlets: ObserverOutlets): Consensus {
  const { ledger, context, log, nowMs } = core;
  const head = ledger.log.sealedBlockAt(ledger.log.head().height);
  assert(head !== undefined, 'the head is in the log');
  const follower = new Follower({
    machine: ledger.machine,
    validators: context.validators,
    head: head.block,
    pollMs: POLL_MS,
    retryMs: RETRY_MS,
    fetchTimeoutMs: FETCH_TIMEOUT_MS,
  });
  let stopped = false;
  const pruned = prunedWatch(context.validators, outlets.prunedAway);
  const plan = turnPlanner<never, never, never>({
    wire: { encode: never, withSignature: never, admitOwn: never },
    signer: { bls: never, identity: never },
    outlets: {
      send: never,
      receiveOwn: never,
      verify: never,
      evidence: never,
      forward: never,
      rejected: never,
      committed(blocks: readonly CommittedBlock[]) {
        const last = blocks.at(-1);
        assert(last !== undefined, 'a commit has blocks');
        ledger.machine.settled(last.block.header.height);
        pruned.progressed();
        outlets.committed(blocks);
      },
      fetch({ request, what, from: [first = 0] }) {
        const from = serversFrom(first, context.validators);
        const work = async (): Promise<void> => {
          if (what.kind === 'sealed' && !(await outlets.mayFetch(what.fromHeight))) return;
          await fetching.perform({ request, what, from });
        };
        work().catch((error: unknown) => {
          if (!stopped) outlets.fatal(error);
        });
      },
      refused({ refusal }) {
        log.debug({ refusal }, 'refused');
      },
    },
    validators: 0,
    self: null,
  });
  const loop = new Loop<Input<never, never>, Effect<never, never>>({
    engine: follower,
    store: ledger.store,
    plan,
    disk: { kind: 'before' },
    nowMs,
    shareOf: inboxShares({ maxMessagesPerPeer: 0, maxEvents: 0 }),
  });
  const runner = new Runner(loop, nowMs, outlets.fatal);
  const offer = (input: Input<never, never>): void => {
    runner.offer(input);
  };
  const fetching = new Fetching({
    client: core.sync,
    admission: core.admission,
    view: never,
    target: (index) => validatorTarget(core, index),
    offer(answer) {
      assert(answer.kind !== 'fetched', 'a follower asks for no blocks by id');
      offer(answer);
    },
    onRefused(from, refusal) {
      log.debug({ from, refusal }, 'fetch refused');
      pruned.refused(from, refusal);
    },
  });
  offer({ kind: 'started' });
  return {
    submissions: null,
    status: () => follower.status(),
    offerSealed: (blocks) => {
      offer({ kind: 'sealed', blocks });
    },
    announced: () => offer({ kind: 'announced' }),
    isPrunedAway: () => pruned.isPruned,
    connectedValidators: () => context.validators.members.filter(({ peerId }) => core.host.isConnected(peerId)).length,
    stop() {
      stopped = true;
      return runner.stop();
    },
  };
}

/** The validator that the follower names and those after it: f + 1 in all, so that one of them is correct. */
function serversFrom(first: ValidatorIndex, { f, n }: ValidatorSet): readonly ValidatorIndex[] {
  return Array.from({ length: f + 1 }, (_, step) => (first + step) % n);
}

function never(): never {
  assert(false, 'a follower sends and signs nothing');
}
