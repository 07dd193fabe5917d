/**
 * The whole ledger again from its log, for an auditor: every seal and every signature is checked, on all cores, while
 * every block is executed again. State and projections come to be in a place of their own, where an interrupted replay
 * goes on, and can be compared with what is kept, byte for byte.
 */
import { codedError, unwrap } from '../base/result.ts';
import { decodeSealedHeader } from '../ledger/block.ts';
import type { Genesis } from '../ledger/genesis.ts';
import type { Projection } from '../projections/projection.ts';
import { genesisCertificate } from '../qc/certificate.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { makeValidatorSet } from '../qc/validator-set.ts';
import type { Store } from '../store/store.ts';
import type { FirstState } from './replay/beginning.ts';
import { BlockChecks } from './replay/checks.ts';
import {
  compareProjection,
  compareState,
  isRebuilt,
  keptHeight,
  type Compared,
  type ComparedProjection,
} from './replay/compare.ts';
import { firstState } from './replay/first-state.ts';
import { Place, type OpenedPlace, type PlaceDescription, type PlaceProgress } from './replay/place.ts';
import { Rebuild } from './replay/rebuild.ts';
import type { LedgerFacts, LedgerSource } from './replay/source.ts';

export interface LedgerReplayOptions {
  readonly source: LedgerSource;
  readonly genesis: Genesis;
  /** That the log is in: one that does not go back to its beginning is replayed from a snapshot in this directory. */
  readonly dataDirectory: string;
  /** Directory to rebuild in. */
  readonly into: string;
  /** The last block to replay; null: the head. */
  readonly to: number | null;
  readonly verifySignatures: boolean;
  readonly verifySeals: boolean;
  /** Worker threads for seals and signatures. */
  readonly threads: number;
  readonly projections: readonly Projection[];
  readonly compare: boolean;
  /** Puts those of the rebuilt projections in place that are not equal to what serves. */
  readonly swap: boolean;
  /**
   * Of a replay that begins with a snapshot: what of projections whose rows tell of blocks before it, too. `keep`: what
   * serves stays, whatever differs; `refuse`: there is no such replay; `replace`: by rows that begin with the snapshot.
   */
  readonly olderRows: 'keep' | 'refuse' | 'replace';
  readonly onProgress: (progress: LedgerReplayProgress) => void;
  /** A sentence about what the replay begins with. */
  readonly onNote: (note: string) => void;
  /** As in `RebuildOptions`. */
  readonly eventsPerBatch?: number;
  /** All was replayed: the rebuilt state, while it is there. */
  readonly onRebuilt?: (state: Pick<Store, 'entries'>) => Promise<void>;
}

export interface LedgerReplayProgress {
  readonly height: number;
  /** The height that this run ends at, as far as it is known. */
  readonly headHeight: number;
  /** Of this run. */
  readonly events: number;
  /** The height that this run began behind. */
  readonly fromHeight: number;
}

export interface LedgerReplayReport {
  readonly chainId: string;
  readonly source: LedgerSource['kind'];
  /** What the replay began with. */
  readonly from: Pick<PlaceDescription['from'], 'height' | 'kind'>;
  /** An earlier run ended at this height, and this one went on; null: it began with the log. */
  readonly resumedAt: number | null;
  readonly height: number;
  /** Of all blocks up to there, and of those that this run executed. */
  readonly events: number;
  readonly eventsOfThisRun: number;
  readonly stateRoot: string;
  /** Seals of a Raft epoch are held against the log hash, and are no evidence: then none of them is verified. */
  readonly verified: { readonly signatures: boolean; readonly seals: boolean };
  /** What is kept against what the log gives; null: not compared. */
  readonly compared: {
    readonly state: Compared & { readonly equal: boolean };
    readonly projections: readonly ComparedProjection[];
  } | null;
  /** Names of projections that were put in place. */
  readonly swapped: readonly string[];
  /** Of executing and checking, without comparing. */
  readonly seconds: number;
}

/** A running node commits while it is replayed: from this near its head is looked at as it is at one moment. */
const NEAR_BLOCKS = 256;
/** Blocks that a projection of a running node may be behind. */
const MARGIN_BLOCKS = 64;
/** A node that commits faster than this program replays is looked at after so many attempts to come near. */
const MAX_APPROACHES = 64;

/**
 * @throws CodedError of the source and the place; `replay-height-unknown`, `replay-projection-older`; those of `firstState`
 *   and of writing it; at the first block that does not hold `replay-block-undecodable`, `replay-seal-invalid`,
 *   `replay-signature-invalid` and those of `Replay.step`, with its height; `replay-head-differs`
 */
export async function replayLedger(options: LedgerReplayOptions): Promise<LedgerReplayReport> {
  const { eventsPerBatch, genesis, projections, source } = options;
  const { scheme } = await loadDefaultScheme();
  const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
  const facts = await source.facts();
  const first = await firstState(options, facts);
  const target = targetOf(options, facts, first);
  const seals = options.verifySeals && facts.consensus === 'hotstuff';
  const opened = await openPlace(options, first, target, seals);
  const { place, standing } = opened;
  const context = { chainId: facts.chainId, validators, genesis: genesisCertificate(0, first.genesisId) };
  const startHeight = standing?.block.header.height ?? first.block.header.height;
  const blocks = target - startHeight;
  const { threads, verifySignatures: signatures } = options;
  const checks = new BlockChecks({ context, scheme, seals, signatures, threads, blocks });
  try {
    if (options.olderRows === 'refuse') refuseOlder(projections, opened.from);
    const rebuild = await Rebuild.open({
      place,
      first,
      standing,
      validators,
      projections,
      checks,
      eventsPerBatch,
    });
    const run = new Run(options, rebuild, facts, startHeight, opened.from);
    return await run.through(target, { opened, verified: { signatures, seals } });
  } finally {
    await checks.close();
    await place.close();
  }
}

function refuseOlder(projections: readonly Projection[], from: PlaceDescription['from']): void {
  const older = projections.find((projection) => !isRebuilt(projection, from));
  if (older === undefined) return;
  const message = 'the rows of the projection tell of blocks before the snapshot that the replay begins with';
  throw codedError('replay-projection-older', message, { projection: older.name, height: from.height });
}

interface RunOrigin {
  readonly opened: OpenedPlace;
  readonly verified: LedgerReplayReport['verified'];
}

/** One run of a replay, over an open place. */
class Run {
  readonly #options: LedgerReplayOptions;
  readonly #rebuild: Rebuild;
  readonly #facts: LedgerFacts;
  readonly #fromHeight: number;
  readonly #from: PlaceDescription['from'];
  readonly #fromEvents: number;
  #headHeight: number;
  #milliseconds = 0;

  /** @param from what the place began with; this run began behind `fromHeight` */
  constructor(
    options: LedgerReplayOptions,
    rebuild: Rebuild,
    facts: LedgerFacts,
    fromHeight: number,
    from: PlaceDescription['from'],
  ) {
    this.#options = options;
    this.#rebuild = rebuild;
    this.#facts = facts;
    this.#fromHeight = fromHeight;
    this.#from = from;
    this.#fromEvents = rebuild.events;
    this.#headHeight = facts.head.height;
  }

  async through(target: number, { opened, verified }: RunOrigin): Promise<LedgerReplayReport> {
    const { source } = this.#options;
    const compared = await this.#throughAndCompare(target);
    const swapped = this.#options.swap ? await this.#swap(compared) : [];
    await this.#options.onRebuilt?.(this.#rebuild.store);
    const { events, head } = this.#rebuild;
    return {
      chainId: this.#facts.chainId,
      source: source.kind,
      from: { kind: this.#from.kind, height: this.#from.height },
      resumedAt: opened.standing?.block.header.height ?? null,
      height: head.header.height,
      events,
      eventsOfThisRun: events - this.#fromEvents,
      stateRoot: head.header.stateRoot,
      verified,
      compared,
      swapped,
      seconds: this.#milliseconds / 1000,
    };
  }

  async #throughAndCompare(target: number): Promise<LedgerReplayReport['compared']> {
    const { compare, source, to } = this.#options;
    const isWhole = to === null || (source.kind === 'directory' && to === this.#facts.head.height);
    if (!isWhole || !compare) {
      await this.#replayTo(target);
      if (isWhole) this.#checkHead(this.#facts);
      return null;
    }
    if (source.kind === 'running node') await this.#approach();
    const pinned = await source.pin();
    try {
      this.#headHeight = pinned.facts.head.height;
      const projections = await this.#compareProjections(pinned);
      await this.#replayTo(pinned.facts.head.height);
      this.#checkHead(pinned.facts);
      const state = await compareState(this.#rebuild.store, pinned);
      return { state: { ...state, equal: state.firstDifference === null }, projections };
    } finally {
      await pinned.close();
    }
  }

  /** What is pinned takes disk at the node, so it is pinned late. */
  async #approach(): Promise<void> {
    for (let approach = 0; approach < MAX_APPROACHES; approach++) {
      this.#headHeight = (await this.#options.source.facts()).head.height;
      if (this.#headHeight - this.#rebuild.head.header.height <= NEAR_BLOCKS) return;
      await this.#replayTo(this.#headHeight - MARGIN_BLOCKS);
    }
  }

  /** Each where its kept rows stand, which need not be the head. */
  async #compareProjections(pinned: Awaited<ReturnType<LedgerSource['pin']>>): Promise<readonly ComparedProjection[]> {
    const results: ComparedProjection[] = [];
    const byHeight = this.#options.projections
      .map((projection) => ({ projection, height: keptHeight(projection, pinned) }))
      .sort((a, b) => a.height - b.height);
    for (const { height, projection } of byHeight) {
      await this.#replayTo(height);
      results.push(await compareProjection(projection, this.#rebuild.rowsOf(projection.name), pinned, this.#from));
    }
    return results;
  }

  async #replayTo(height: number): Promise<void> {
    const { onProgress, source } = this.#options;
    const from = this.#rebuild.head.header.height + 1;
    if (height < from) return;
    const startedMs = performance.now();
    await this.#rebuild.through(source.blocks(from, height), (at, events) =>
      onProgress({
        height: at,
        headHeight: Math.max(this.#headHeight, height),
        events: events - this.#fromEvents,
        fromHeight: this.#fromHeight,
      }),
    );
    this.#milliseconds += performance.now() - startedMs;
  }

  #checkHead({ head }: LedgerFacts): void {
    const { header, id } = this.#rebuild.head;
    if (header.height !== head.height || id === head.blockId) return;
    throw codedError('replay-head-differs', 'the head that is kept is not the last block of the log', {
      height: head.height,
      replayed: id,
      kept: head.blockId,
    });
  }

  async #swap(compared: LedgerReplayReport['compared']): Promise<readonly string[]> {
    const { olderRows, onNote, projections, source } = this.#options;
    const equal = new Set(compared?.projections.filter(({ outcome }) => outcome === 'equal').map(({ name }) => name));
    const swapped: string[] = [];
    for (const projection of projections) {
      if (equal.has(projection.name)) continue;
      const { name } = projection;
      if (olderRows !== 'replace' && !isRebuilt(projection, this.#from)) {
        onNote(`leaves ${name} as it is: its rows tell of blocks before height ${this.#from.height}, too`);
        continue;
      }
      if (await source.replaceRows(projection, this.#rebuild.rowsOf(name))) swapped.push(name);
      else onNote(`the node rebuilds ${name} beside what it serves, and swaps it by itself: see its status`);
    }
    return swapped;
  }
}

function targetOf({ to }: LedgerReplayOptions, { head }: LedgerFacts, { block }: FirstState): number {
  const { height: oldest } = block.header;
  const target = to ?? head.height;
  if (target >= oldest && target <= head.height) return target;
  throw codedError('replay-height-unknown', 'the log has no block of this height, or the replay begins above it', {
    height: target,
    oldest,
    head: head.height,
  });
}

async function openPlace(
  options: LedgerReplayOptions,
  first: FirstState,
  target: number,
  seals: boolean,
): Promise<OpenedPlace> {
  const { block, chainId, note } = first;
  const { into, onNote, projections, source, verifySignatures } = options;
  const wanted = {
    chainId,
    from: { kind: first.kind, height: block.header.height, blockId: block.id },
    signatures: verifySignatures,
    seals,
    projections: projections.map(({ name, version }) => `${name} ${version}`).sort(),
  };
  const opened = await Place.open(into, wanted, (progress) => fits(source, progress, target, first));
  const { discarded, standing } = opened;
  if (discarded !== null) onNote(`begins anew: what an earlier replay left in ${into} is not used, as ${discarded}`);
  if (standing === null) {
    if (note !== null) onNote(note);
  } else {
    const { height } = standing.block.header;
    onNote(`goes on at height ${height + 1}: an earlier replay came to height ${height} in ${into}`);
  }
  return opened;
}

/** An earlier replay is continued behind a block of this log, and not beyond what is asked for. */
async function fits(
  source: LedgerSource,
  { block: { header, id } }: PlaceProgress,
  target: number,
  first: FirstState,
): Promise<string | null> {
  const { height } = header;
  if (height > target) return `it came to height ${height}, above ${target}`;
  const { block, chainId } = first;
  if (height === block.header.height) return id === block.id ? null : 'it began with another block';
  if (height < block.header.height) return `it came to height ${height}, and blocks behind that were dropped since`;
  for await (const sealed of source.blocks(height, height)) {
    const own = decodeSealedHeader(chainId, sealed);
    if (own.ok && own.value.id === id) return null;
  }
  return `its block at height ${height} is not that of the log`;
}
