/** An observer: the follower engine in the same loop. It executes what validators sealed, and never votes. */
import { assert } from '../base/assert.ts';
import type { CommittedBlock, Effect, Input } from '../consensus/engine.ts';
import { Follower } from '../consensus/follower.ts';
import type { Consensus, ConsensusOutlets } from './consensus.ts';
import type { NetworkedCore } from './core.ts';
import { BlockServers, type BlockServer } from './block-servers.ts';
import { ObserverFetching } from './observer-fetching.ts';
import { Loop } from './loop.ts';
import { prunedWatch } from './pruned-watch.ts';
import { Runner } from './runner.ts';
import { inboxShares, turnPlanner } from './turn-planner.ts';

/** An idle network says nothing; a block whose announcement was lost is found this late at most. */
const POLL_MS = 15_000;
/** Also the least time between two questions that bring nothing, however much is announced. */
const RETRY_MS = 1_000;
const FETCH_TIMEOUT_MS = 10_000;
/** In one fetch, beside those of validators. */
const TRIES_OF_OTHERS = 2;
const MAX_SERVERS = 32;

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
      fetch({ request, what }) {
        assert(what.kind === 'sealed', 'a follower asks for no blocks by id');
        const work = async (): Promise<void> => {
          if (await outlets.mayFetch(what.fromHeight)) await fetching.perform(request, what.fromHeight);
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
  const fetching = new ObserverFetching({
    client: core.sync,
    admission: core.admission,
    servers: new BlockServers(() => serversOf(core)),
    // Of f + 1 validators one is correct; others may have what they pruned.
    tries: context.validators.f + 1 + TRIES_OF_OTHERS,
    offer,
    onRefused({ peerId, validator }, refusal, isFalse) {
      if (isFalse) log.warn({ server: peerId, refusal }, 'a server of blocks sent what is false: it is asked last');
      else log.debug({ server: peerId, refusal }, 'fetch refused');
      if (validator !== null) pruned.refused(validator, refusal);
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

/** Validators first, then others that are known or connected: all of them keep blocks, or some of them. */
function serversOf({ addresses, context, host, identity }: NetworkedCore): readonly BlockServer[] {
  const { members } = context.validators;
  const connected = host.connections().map(({ peerId }) => peerId);
  const all = new Set([...members.map(({ peerId }) => peerId), ...addresses.peers(), ...connected]);
  all.delete(identity.peerId);
  return [...all].slice(0, MAX_SERVERS).map((peerId) => {
    const validator = context.validators.indexOf(peerId) ?? null;
    return { peerId, multiaddrs: addresses.of(peerId), validator };
  });
}

function never(): never {
  assert(false, 'a follower sends and signs nothing');
}
