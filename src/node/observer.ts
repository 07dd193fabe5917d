/** An observer: the follower engine in the same loop. It executes what validators sealed, and never votes. */
import { assert } from '../base/assert.ts';
import { refuse, type Refusal } from '../base/result.ts';
import type { CommittedBlock, Input } from '../consensus/engine.ts';
import { Follower } from '../consensus/follower.ts';
import type { Consensus, ConsensusOutlets } from './consensus.ts';
import { validatorTarget, type NetworkedCore } from './core.ts';
import { fetchSealed } from './fetching.ts';
import { Loop } from './loop.ts';
import { Runner } from './runner.ts';
import type { Turn } from './turn.ts';

/** An idle network says nothing; a block whose announcement was lost is found this late at most. */
const POLL_MS = 15_000;
/** Also the least time between two questions that bring nothing, however much is announced. */
const RETRY_MS = 1_000;
const FETCH_TIMEOUT_MS = 10_000;

export function startObserver(core: NetworkedCore, outlets: ConsensusOutlets): Consensus {
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
  const loop = new Loop<never, never, never, never>({
    engine: follower,
    store: ledger.store,
    wire: { encode: never, withSignature: never, admitOwn: never },
    signer: { bls: never, identity: never },
    outlets: {
      send: never,
      verify: never,
      evidence: never,
      forward: never,
      rejected: never,
      committed(blocks: readonly CommittedBlock[]) {
        const last = blocks.at(-1);
        assert(last !== undefined, 'a commit has blocks');
        ledger.machine.settled(last.block.header.height);
        outlets.committed(blocks);
      },
      fetch(request) {
        fetching(core, request, offer).catch((error: unknown) => {
          if (!stopped) outlets.fatal(error);
        });
      },
      refused({ refusal }) {
        log.debug({ refusal }, 'refused');
      },
    },
    nowMs,
    validators: 0,
    self: null,
    inbox: { maxMessagesPerPeer: 0, maxEvents: 0 },
  });
  const runner = new Runner(loop, nowMs, outlets.fatal);
  const offer = (input: Input<never, never>): void => {
    runner.offer(input);
  };
  offer({ kind: 'started' });
  return {
    submissions: null,
    status: () => follower.status(),
    offerSealed: (blocks) => {
      offer({ kind: 'sealed', blocks });
    },
    announced: () => offer({ kind: 'announced' }),
    connectedValidators: () => context.validators.members.filter(({ peerId }) => core.host.isConnected(peerId)).length,
    stop() {
      stopped = true;
      return runner.stop();
    },
  };
}

/** Asks the validator that the follower names, then others: f + 1 in all, so that one of them is correct. */
async function fetching(
  core: NetworkedCore,
  { request, what, from }: Turn<never, never>['fetches'][number],
  offer: (input: Input<never, never>) => void,
): Promise<void> {
  assert(what.kind === 'sealed', 'a follower asks for sealed blocks only');
  const { f, n } = core.context.validators;
  const first = from[0] ?? 0;
  let last: Refusal = refuse('fetch-unserved', 'nobody was there to ask').refusal;
  for (let step = 0; step <= f; step++) {
    const server = validatorTarget(core, (first + step) % n);
    const blocks = await fetchSealed(core.sync, core.admission, server, what.fromHeight);
    if (blocks.ok) {
      offer({ kind: 'sealed', blocks: blocks.value, request });
      return;
    }
    last = blocks.refusal;
  }
  offer({ kind: 'fetchFailed', request, refusal: last });
}

function never(): never {
  assert(false, 'a follower sends and signs nothing');
}
