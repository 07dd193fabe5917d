/**
 * What a validator does for an event besides checking its signature, in one process and with nothing else in it: it
 * takes the event in from another validator, votes for the block that holds it, and commits it.
 *
 *     events' frame -> decode -> mempool        proposal -> decode -> find the checked events -> execute -> disk, synced
 *     commit -> disk, synced -> mempool -> projections
 *
 * Left out are what a block costs and not an event (pairings, votes), and libp2p.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { assert } from '../../src/base/assert.ts';
import { ok, unwrap } from '../../src/base/result.ts';
import { Mempool } from '../../src/consensus/mempool.ts';
import { encodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { decodeMessage, encodeMessage } from '../../src/hotstuff/wire.ts';
import { committedBlockOps, uncommittedBlockOps } from '../../src/ledger/block-log.ts';
import { decodeSignedEvent } from '../../src/ledger/event.ts';
import { genesisState } from '../../src/ledger/genesis-state.ts';
import type { Genesis } from '../../src/ledger/genesis.ts';
import { peerIdFromPublicKey } from '../../src/ledger/identity.ts';
import type { Execution } from '../../src/ledger/machine.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import type { BlockContext } from '../../src/ledger/transition.ts';
import { genesisValidatorOf } from '../../src/node/genesis-file.ts';
import { generateBlsKey, registrationOf } from '../../src/node/bls-key.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { generateIdentityKey } from '../../src/node/keys.ts';
import { openLedger, type OpenLedger } from '../../src/node/open-ledger.ts';
import { decodePeerFrame, eventFrames } from '../../src/node/peer-frame.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { makeValidatorSet, type ValidatorSet } from '../../src/qc/validator-set.ts';
import { Population } from '../validators/population.ts';
import { makeChain, type MadeBlock } from './chain.ts';

export interface FollowerOptions {
  /** On the disk that is to be measured. */
  readonly parent: string;
  /** Records in the state before. */
  readonly records: number;
  readonly blocks: number;
  /** All by distinct nodes, of those that have records. */
  readonly eventsPerBlock: number;
}

export interface FollowerResult {
  readonly events: number;
  readonly cpuUsPerEvent: number;
}

const VALIDATORS = 4;
const GENESIS_AGE_SECONDS = 3600;
/** Blocks before those that are measured: the compiler has seen the code. */
const WARM_UP_BLOCKS = 5;

export async function measureFollower(options: FollowerOptions): Promise<FollowerResult> {
  const directory = await mkdtemp(join(options.parent, 'hlb-'));
  const { blocks, eventsPerBlock } = options;
  const signers = new Population((WARM_UP_BLOCKS + blocks) * eventsPerBlock, 'ed25519');
  const { blsKeys, genesis } = newGenesis(signers, options.records);
  const ledger = await openLedger(join(directory, 'data'), genesis, null);
  try {
    const chain = makeChain(genesis, genesisState(genesis), blsKeys, batchesOf(signers, ledger.log.chainId, options));
    const input = chain.map((made) => inputOf(made));
    const follower = await Follower.open(ledger, genesis);
    for (const block of input.slice(0, WARM_UP_BLOCKS)) await follower.follow(block);
    const before = process.cpuUsage();
    for (const block of input.slice(WARM_UP_BLOCKS)) await follower.follow(block);
    const { user, system } = process.cpuUsage(before);
    await follower.close();
    const events = blocks * eventsPerBlock;
    return { events, cpuUsPerEvent: (user + system) / events };
  } finally {
    await ledger.store.close();
    await rm(directory, { recursive: true });
  }
}

function newGenesis(signers: Population, records: number): { genesis: Genesis; blsKeys: readonly Uint8Array[] } {
  const timestamp = Math.floor(Date.now() / 1000) - GENESIS_AGE_SECONDS;
  const active = signers.records(timestamp);
  // Those that are silent need no key, only a peer id.
  const silent = Array.from({ length: Math.max(0, records - active.length) }, () => ({
    ...active[0]!,
    peerId: peerIdFromPublicKey('ed25519', randomBytes(32)),
  }));
  const blsKeys = Array.from({ length: VALIDATORS }, () => generateBlsKey());
  const validators = blsKeys.map((key) =>
    unwrap(genesisValidatorOf(registrationOf(generateIdentityKey('ed25519').peerId, key, [], nativeScheme))),
  );
  const parameters = DEFAULT_PARAMETERS;
  const all: readonly NodeRecord[] = [...active, ...silent];
  return { genesis: { name: 'follow', timestamp, commitDepth: 2, parameters, validators, records: all }, blsKeys };
}

function batchesOf(signers: Population, chainId: string, { blocks, eventsPerBlock }: FollowerOptions) {
  return Array.from({ length: WARM_UP_BLOCKS + blocks }, () => signers.sign(eventsPerBlock, chainId));
}

/** What comes over the network. */
interface Input {
  readonly frames: readonly Uint8Array[];
  readonly proposal: Uint8Array;
  readonly made: MadeBlock;
}

function inputOf(made: MadeBlock): Input {
  const { block } = made.sealed;
  const { justify } = made;
  const signature = new Uint8Array(64);
  return {
    frames: eventFrames(block.events.map(({ bytes }) => bytes)),
    proposal: encodeMessage({ kind: 'proposal', block, justify, timeoutCertificate: null, signature }),
    made,
  };
}

class Follower {
  readonly #ledger: OpenLedger;
  readonly #validators: ValidatorSet;
  readonly #projector: Projector;
  readonly #mempool = new Mempool();
  readonly #verifier: EventVerifier;

  private constructor(ledger: OpenLedger, genesis: Genesis, projector: Projector) {
    this.#ledger = ledger;
    this.#validators = unwrap(makeValidatorSet(0, genesis.validators, nativeScheme));
    this.#projector = projector;
    this.#verifier = new EventVerifier({
      chainId: ledger.log.chainId,
      verifySignature: () => Promise.resolve(true),
      checkEvidence: () => Promise.resolve(ok(undefined)),
      maxRemembered: 32_768,
    });
  }

  static async open(ledger: OpenLedger, genesis: Genesis): Promise<Follower> {
    const { log, store } = ledger;
    const onStopped = (name: string, error: unknown): never => {
      throw new Error(`the projection ${name} stopped`, { cause: error });
    };
    const projector = await Projector.open({ store, log, projections: CATALOG, onStopped });
    await projector.caughtUp();
    return new Follower(ledger, genesis, projector);
  }

  async close(): Promise<void> {
    await this.#projector.close();
  }

  async follow({ frames, made, proposal }: Input): Promise<void> {
    for (const frame of frames) await this.#takeIn(frame);
    await this.#commit(made, await this.#vote(proposal));
  }

  async #takeIn(frame: Uint8Array): Promise<void> {
    const { machine } = this.#ledger;
    const decoded = unwrap(decodePeerFrame(frame));
    assert(decoded.kind === 'events', 'the frame holds events');
    const events = decoded.events.map((bytes) => unwrap(decodeSignedEvent(machine.chainId, bytes)));
    const context = this.#context(machine.head.height + 1, Math.floor(Date.now() / 1000));
    for (const event of unwrap(await this.#verifier.verifyAll(events))) {
      unwrap(this.#mempool.add(event, (candidate) => machine.finalRefusal(candidate, context)));
    }
  }

  async #vote(proposal: Uint8Array): Promise<Execution> {
    const { machine, store } = this.#ledger;
    const message = unwrap(decodeMessage(machine.chainId, proposal, this.#verifier.decode));
    assert(message.kind === 'proposal', 'the frame holds a proposal');
    const { block, justify } = message;
    const events = unwrap(await this.#verifier.verifyAll(block.events));
    const { height, stateRoot, timestamp } = block.header;
    const execution = unwrap(machine.execute(machine.head, this.#context(height, timestamp), events));
    assert(execution.stateRoot === stateRoot, 'the follower computes what the leader computed', { height });
    const stored = { id: block.id, bytes: encodeStoredBlock({ block, justify }) };
    await store.batch(uncommittedBlockOps([stored]), { sync: true });
    return execution;
  }

  async #commit({ sealed }: MadeBlock, execution: Execution): Promise<void> {
    const { machine, store } = this.#ledger;
    const { events, header } = sealed.block;
    const changes = machine.commit(execution);
    for (const { id } of events) this.#mempool.remove(id);
    await store.batch(committedBlockOps(sealed, changes), { sync: true });
    machine.settled(header.height);
    this.#projector.offer([{ header, events, changes }]);
    await this.#projector.caughtUp();
  }

  #context(height: number, timestamp: number): BlockContext {
    return { chainId: this.#ledger.machine.chainId, epoch: 0, height, timestamp, validators: this.#validators };
  }
}
