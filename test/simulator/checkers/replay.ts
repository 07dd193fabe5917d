/**
 * What a node keeps is a function of its log: its state equals the state of a replay, key by key, and each projection
 * equals one that is built anew from genesis, row by row.
 *
 * One replay serves all nodes of a run: each block of each log is compared with what was replayed, byte by byte, and
 * decoded only where these bytes are new. The replay goes on from one check to the next; at the end of a run it is the
 * whole chain from genesis, and all logs are held against all of it.
 */
import { equalBytes, textFromUtf8 } from '../../../src/base/bytes.ts';
import type { Hash } from '../../../src/base/hash.ts';
import type { SealedBlock } from '../../../src/ledger/block.ts';
import type { BlockLog } from '../../../src/ledger/block-log.ts';
import { STATE_RANGE } from '../../../src/ledger/layout.ts';
import { Replay } from '../../../src/ledger/replay.ts';
import { CATALOG } from '../../../src/projections/catalog.ts';
import type { SimulatedDisk } from '../simulated-disk.ts';
import type { SimulatedChain } from '../simulated-keys.ts';
import { RebuiltProjection } from './rebuilt-projection.ts';
import type { Report } from './violation.ts';

const NAME = 'replay';

export interface ReplayedNode {
  readonly id: number;
  readonly disk: SimulatedDisk;
  readonly log: BlockLog;
}

export interface ReplayOptions {
  readonly chain: SimulatedChain;
  readonly report: Report;
  /** Of each projection, whether it could be compared. */
  readonly count: (what: string) => void;
  /** A block as a log holds it, with a seal that may be that log's alone: told of each once. */
  readonly onSeal: (node: number, sealed: SealedBlock) => void;
}

export class ReplayChecker {
  readonly #options: ReplayOptions;
  #shared: ReplayedChain | null = null;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** Those with the shortest logs first: a node below what was replayed already has a replay of its own. */
  check(node: ReplayedNode): void {
    let replayed = (this.#shared ??= new ReplayedChain(this.#options));
    if (node.log.head().height < replayed.height) replayed = new ReplayedChain(this.#options);
    if (replayed.follow(node)) replayed.compare(node);
  }
}

/** The chain as far as it was replayed. */
class ReplayedChain {
  readonly #options: ReplayOptions;
  readonly #replay: Replay;
  readonly #projections: readonly RebuiltProjection[];
  /** By height: sealed blocks as the logs hold them, one for each seal. */
  readonly #known: Uint8Array[][] = [[]];
  readonly #ids: Hash[];

  constructor(options: ReplayOptions) {
    const { chain } = options;
    this.#options = options;
    this.#replay = new Replay({ genesis: chain.state, validatorsOf: () => chain.validators });
    this.#ids = [chain.state.block.id];
    this.#projections = CATALOG.map((projection) => new RebuiltProjection(projection));
    for (const one of this.#projections) one.apply(this.#replay.first);
  }

  get height(): number {
    return this.#ids.length - 1;
  }

  /** Holds a log against what was replayed, and replays what it has more. @returns whether all of it is as it should be */
  follow({ id, log }: ReplayedNode): boolean {
    const { height: head } = log.head();
    for (let height = 1; height <= head; height++) {
      const bytes = log.sealedBytesAt(height);
      const known = (this.#known[height] ??= []);
      if (bytes !== undefined && known.some((one) => Buffer.compare(one, bytes) === 0)) continue;
      const sealed = log.sealedBlockAt(height);
      if (bytes === undefined || sealed === undefined || !this.#step(height, sealed)) {
        this.#options.report({ checker: NAME, message: 'a log replays', details: { node: id, height } });
        return false;
      }
      // A copy: what a disk does to its own bytes later must not pass for known.
      known.push(bytes.slice());
      this.#options.onSeal(id, sealed);
    }
    return true;
  }

  /** State and projections of a node that stands where the replay stands. */
  compare({ disk, id }: ReplayedNode): void {
    const { count, report } = this.#options;
    const expected = new Map(this.#replay.state.entries);
    for (const [storeKey, value] of disk.entries(STATE_RANGE)) {
      const key = textFromUtf8(storeKey.subarray(1));
      const should = expected.get(key);
      if (should === undefined || !equalBytes(should, value)) {
        report({ checker: NAME, message: 'the state is that of a replay', details: { node: id, key } });
      }
      expected.delete(key);
    }
    for (const key of expected.keys()) {
      report({ checker: NAME, message: 'the state has all that a replay has', details: { node: id, key } });
    }
    for (const one of this.#projections) {
      count(one.compare(id, disk, report) ? 'replay: rows compared' : 'replay: rows too far behind to be compared');
    }
  }

  /** @returns whether it is the block of this height, or is the next and can be */
  #step(height: number, sealed: SealedBlock): boolean {
    if (height <= this.height) return this.#ids[height] === sealed.block.id;
    const replayed = this.#replay.step(sealed);
    if (!replayed.ok) return false;
    this.#ids.push(sealed.block.id);
    for (const one of this.#projections) one.apply(replayed.value);
    return true;
  }
}
