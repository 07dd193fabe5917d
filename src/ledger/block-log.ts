/**
 * The block log and the committed state, in one store. The functions that end in `Ops` are pure: they say what to
 * write, and a turn of the loop writes all of its operations in one synced batch, so that blocks, state and safety
 * record are never apart.
 */
import { concatBytes, equalBytes } from '../base/bytes.ts';
import { bytes, codec, hash, list, mapped, nullable, struct, text, uint, type Codec } from '../base/codec.ts';
import { hashFromBytes, hashToBytes, sha256, type Hash } from '../base/hash.ts';
import { CodedError, codedError } from '../base/result.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import { decodeOwnSealedBlock, encodeSealedBlock, MAX_SEAL_BYTES, sealShape, type SealedBlock } from './block.ts';
import { contentOf, withCheck } from './checked-record.ts';
import { checkSchemaKnown } from './event-schema-at.ts';
import { headOf, type GenesisState } from './genesis-state.ts';
import {
  bigEndian,
  blockKey,
  changesKey,
  EVIDENCE_RANGE,
  evidenceKeyOf,
  FLOOR_KEY,
  fromBigEndian,
  HEAD_KEY,
  heightKey,
  IDENTITY_KEY,
  rangeOf,
  RESTORING_KEY,
  SAFETY_KEY,
  STATE_RANGE,
  stateKey,
  UNCOMMITTED_RANGE,
  uncommittedKey,
} from './layout.ts';
import { judgeLayout, newLayoutOps, readLayout } from './layout-history.ts';
import { LedgerMachine, type Head, type LedgerMachineOptions } from './machine.ts';
import { checkedRecord, corrupt, decoded, ownBytes, ownText } from './own-record.ts';
import { StateTree, type TreeVersion } from './state-tree.ts';
import type { StateChange, StateReader } from './state.ts';

/** A block that is not committed, encoded as its engine keeps it: with the certificate of its parent. */
export interface UncommittedBlock {
  readonly id: Hash;
  readonly bytes: Uint8Array;
}

/** As `qc/evidence.ts` encodes it. */
export interface KeptEvidence {
  readonly epoch: number;
  /** Index in the validator set of that epoch. */
  readonly offender: number;
  readonly bytes: Uint8Array;
}

/** Whose data it is. */
export interface LogIdentity {
  readonly chainId: string;
  /** SHA-256 of the BLS public key that votes from this directory; null for a peer that does not vote. */
  readonly validatorKey: Hash | null;
}

/** The key is left out by one who neither votes nor writes. */
export type ExpectedIdentity = Pick<LogIdentity, 'chainId'> & Partial<LogIdentity>;

const identityCodec = codec(struct<LogIdentity>({ chainId: text(64), validatorKey: nullable(hash) }), 256);

const headCodec = codec(struct<Head>({ height: uint(), blockId: hash, stateRoot: hash, timestamp: uint() }), 256);

const floorCodec: Codec<{ readonly height: number }> = codec(struct<{ height: number }>({ height: uint() }), 16);

const changesCodec = codec<readonly StateChange[]>(
  list(
    struct<StateChange>({
      // Those of the older system have no bound but that of an entry of its log.
      key: text(Number.MAX_SAFE_INTEGER),
      value: mapped(
        nullable(bytes(Number.MAX_SAFE_INTEGER)),
        (value) => value ?? null,
        (wire) => wire ?? undefined,
      ),
    }),
    Number.MAX_SAFE_INTEGER,
  ),
  Number.MAX_SAFE_INTEGER,
);

const sealCodec = codec(sealShape, MAX_SEAL_BYTES + 64);
const INDEX_ENTRY_BYTES = 8 + 32;

/** Entries of the state that become one batch of the tree while it is rebuilt. */
const REBUILD_BATCH = 32_768;

/** A committed block with what it changed: log, index, head, state, and the changes for the projector. */
export function committedBlockOps(sealed: SealedBlock, changes: readonly StateChange[]): StoreOperation[] {
  return [...headBlockOps(sealed, changes), ...stateOps(changes)];
}

/** The same without the state, which is written, or was, by itself. @param changes for the projector */
export function headBlockOps(sealed: SealedBlock, changes: readonly StateChange[]): StoreOperation[] {
  const { block } = sealed;
  const { height } = block.header;
  return [
    ...firstBlockOps(sealed),
    { kind: 'delete', key: uncommittedKey(block.id) },
    put(changesKey(height), withCheck(changesCodec.encode(changes))),
  ];
}

/** Where a block is found by its id, with the check of its seal. */
export function indexOps(sealed: SealedBlock): StoreOperation[] {
  return [put(heightKey(sealed.block.id), indexEntry(sealed))];
}

/** The record of the head alone. */
export function headOps(head: Head): StoreOperation[] {
  return [put(HEAD_KEY, withCheck(headCodec.encode(head)))];
}

/** The head of a log that begins with it: the state is written by itself, and nobody is told what it changed. */
export function firstBlockOps(sealed: SealedBlock): StoreOperation[] {
  const { block } = sealed;
  return [
    put(blockKey(block.header.height), encodeSealedBlock(sealed)),
    put(heightKey(block.id), indexEntry(sealed)),
    ...headOps(headOf(block)),
  ];
}

/** The committed state alone. */
export function stateOps(changes: readonly StateChange[]): StoreOperation[] {
  return changes.map(stateOp);
}

export function uncommittedBlockOps(blocks: readonly UncommittedBlock[]): StoreOperation[] {
  return blocks.map(({ id, bytes: encoded }) => put(uncommittedKey(id), encoded));
}

/** Blocks that lost. */
export function forgottenBlockOps(ids: readonly Hash[]): StoreOperation[] {
  return ids.map((id) => ({ kind: 'delete', key: uncommittedKey(id) }));
}

export function safetyRecordOps(safety: Uint8Array): StoreOperation[] {
  return [put(SAFETY_KEY, safety)];
}

/** One piece a validator and epoch. */
export function evidenceOps(epoch: number, offender: number, evidence: Uint8Array): StoreOperation[] {
  return [put(evidenceKeyOf(epoch, offender), evidence)];
}

/** The projector is done with the changes of this block. */
export function projectedOps(height: number): StoreOperation[] {
  return [{ kind: 'delete', key: changesKey(height) }];
}

/** Marks a store as one of this layout and owner. */
export function identityOps(identity: LogIdentity): StoreOperation[] {
  return [...newLayoutOps(), put(IDENTITY_KEY, withCheck(identityCodec.encode(identity)))];
}

/** Where the log begins: in the batch that writes its first block, and in each one that takes blocks away below. */
export function floorOps(height: number): StoreOperation[] {
  return [put(FLOOR_KEY, withCheck(floorCodec.encode({ height })))];
}

/**
 * Checks that the store is of this layout, chain and validator.
 *
 * @throws CodedError `store-empty`, `restore-unfinished`, `store-corrupt`, `chain-mismatch`, `key-mismatch`, and those of `judgeLayout`
 */
export async function checkStore(store: Store, identity: ExpectedIdentity): Promise<void> {
  await checkLayout(store);
  checkIdentity(store, identity);
}

export class BlockLog {
  readonly identity: LogIdentity;
  readonly #store: Pick<Store, 'entries' | 'get'>;

  private constructor(store: Pick<Store, 'entries' | 'get'>, identity: LogIdentity) {
    this.#store = store;
    this.identity = identity;
  }

  /**
   * Writes genesis into an empty store, all in one batch: a crash leaves the store empty or whole.
   *
   * @throws CodedError `store-not-empty`
   */
  static async create(store: Store, identity: LogIdentity, genesis: GenesisState): Promise<BlockLog> {
    if (!(await isEmpty(store))) throw codedError('store-not-empty', 'the store already holds data');
    const operations = [
      ...identityOps(identity),
      ...floorOps(genesis.block.header.height),
      ...committedBlockOps(genesis.sealed, genesis.changes),
    ];
    await store.batch(operations, { sync: true });
    return BlockLog.open(store, identity);
  }

  /** Over a store that the caller has just written, or opened, whole: nothing is looked at. */
  static over(store: Pick<Store, 'entries' | 'get'>, identity: LogIdentity): BlockLog {
    return new BlockLog(store, identity);
  }

  /**
   * Checks that the store is of this layout, chain and validator, and that its head and its floor are there.
   *
   * @throws CodedError `store-empty`, `restore-unfinished`, `store-corrupt`, `chain-mismatch`, `key-mismatch`, and those of `judgeLayout`,
   *   `schema-not-known`, and `state-root-mismatch` where the state that says so is not that of the head
   */
  static async open(store: Store, identity: LogIdentity): Promise<BlockLog> {
    await checkStore(store, identity);
    const log = new BlockLog(store, identity);
    const head = log.head();
    await log.#checkSchema(head);
    const block = log.sealedBlockAt(head.height)?.block;
    const { stateRoot, timestamp } = block?.header ?? {};
    if (block?.id !== head.blockId || stateRoot !== head.stateRoot || timestamp !== head.timestamp) {
      throw corrupt('the head names a block that is not in the log', { height: head.height, blockId: head.blockId });
    }
    const floor = log.floor();
    if (floor > head.height || log.sealedBytesAt(floor) === undefined) {
      throw corrupt('the first block of the log is not in it', { floor, head: head.height });
    }
    return log;
  }

  /** A newer program has come so far: this one could not read what it wrote. Or a bit has flipped, and nobody is to upgrade. */
  async #checkSchema(head: Head): Promise<void> {
    const known = ownBytes(() => checkSchemaKnown(this.state, head.height), 'the event schema');
    if (known.ok) return;
    await this.#loadTree(head);
    throw new CodedError(known.refusal);
  }

  get chainId(): string {
    return this.identity.chainId;
  }

  /** The committed state, straight from the store. */
  readonly state: StateReader = { get: (key) => this.#store.get(stateKey(key)) };

  head(): Head {
    return checkedRecord(headCodec, this.#store.get(HEAD_KEY), 'the head');
  }

  /** The height of the first block that is in the log: 0, unless it began with a snapshot or was pruned. */
  floor(): number {
    return checkedRecord(floorCodec, this.#store.get(FLOOR_KEY), 'the floor of the log').height;
  }

  sealedBytesAt(height: number): Uint8Array | undefined {
    return this.#store.get(blockKey(height));
  }

  /** @throws CodedError `store-corrupt`, also for another block than was committed at this height */
  sealedBlockAt(height: number): SealedBlock | undefined {
    const sealedBytes = this.sealedBytesAt(height);
    if (sealedBytes === undefined) return undefined;
    const what = `the block at height ${height}`;
    const sealed = decoded(
      ownBytes(() => decodeOwnSealedBlock(this.chainId, sealedBytes), what),
      what,
    );
    const { id } = sealed.block;
    // A block with a flipped bit is another block, of an id that was never committed; of its seal the id says nothing.
    if (this.heightOf(id) !== height) throw corrupt(`${what} is not the one that was committed`, { height, id });
    if (!equalBytes(indexEntry(sealed), this.#store.get(heightKey(id)) as Uint8Array)) {
      throw corrupt(`the seal of ${what} has changed since it was written`, { height, id });
    }
    return sealed;
  }

  /** Of a committed block. */
  heightOf(id: Hash): number | undefined {
    const height = this.#store.get(heightKey(id));
    if (height === undefined) return undefined;
    if (height.length !== INDEX_ENTRY_BYTES) throw corrupt('the height of a block is no number', { id });
    return fromBigEndian(height);
  }

  uncommittedBytes(id: Hash): Uint8Array | undefined {
    return this.#store.get(uncommittedKey(id));
  }

  async uncommitted(): Promise<readonly UncommittedBlock[]> {
    const blocks: UncommittedBlock[] = [];
    for await (const [key, encoded] of this.#store.entries(UNCOMMITTED_RANGE)) {
      blocks.push({ id: ownBytes(() => hashFromBytes(key.subarray(1)), 'the id of a block'), bytes: encoded });
    }
    return blocks;
  }

  /** As the engine encoded it; undefined before the first vote. */
  safetyRecord(): Uint8Array | undefined {
    return this.#store.get(SAFETY_KEY);
  }

  async evidence(): Promise<readonly KeptEvidence[]> {
    const pieces: KeptEvidence[] = [];
    for await (const [key, piece] of this.#store.entries(EVIDENCE_RANGE)) {
      pieces.push({ epoch: fromBigEndian(key.subarray(1)), offender: fromBigEndian(key.subarray(9)), bytes: piece });
    }
    return pieces;
  }

  /** What a committed block changed; undefined once every projection has seen it. */
  changesAt(height: number): readonly StateChange[] | undefined {
    const written = this.#store.get(changesKey(height));
    if (written === undefined) return undefined;
    const what = `the changes of height ${height}`;
    const encoded = contentOf(written);
    if (encoded === null) throw corrupt(`${what} have changed since they were written`);
    return ownBytes(() => changesCodec.decodeOwn(encoded), what);
  }

  /**
   * Rebuilds the state tree, about 20 us a key, and compares its root with the head's.
   *
   * @throws CodedError `state-root-mismatch`
   */
  async loadMachine(options: Pick<LedgerMachineOptions, 'newestSchema'> = {}): Promise<LedgerMachine> {
    const head = this.head();
    const loaded = await this.#loadTree(head);
    return new LedgerMachine({ chainId: this.chainId, head, backing: this.state, ...loaded, ...options });
  }

  async #loadTree({ height, stateRoot }: Head): ReturnType<typeof loadStateTree> {
    const loaded = await loadStateTree(this.#store);
    const { root } = loaded.version;
    if (root === stateRoot) return loaded;
    throw codedError('state-root-mismatch', 'the state in the store is not that of its head; replay rebuilds it', {
      height,
      named: stateRoot,
      computed: root,
    });
  }
}

/**
 * The tree over a state on disk, about 20 us a key. Whether it is the one that was meant, its root says.
 *
 * @param prefix what the keys of the state are under; left out: the committed state
 */
export async function loadStateTree(
  store: Pick<Store, 'entries'>,
  prefix: Uint8Array = STATE_RANGE.gte,
): Promise<{ readonly tree: StateTree; readonly version: TreeVersion }> {
  const tree = new StateTree();
  let version = tree.empty;
  let entries: StateChange[] = [];
  const flush = () => {
    const next = tree.update(version, entries);
    tree.retire(version);
    version = next;
    entries = [];
  };
  for await (const [key, value] of store.entries(rangeOf(prefix))) {
    entries.push({ key: ownText(key.subarray(prefix.length), 'a key of the state'), value });
    if (entries.length === REBUILD_BATCH) flush();
  }
  flush();
  return { tree, version };
}

/** Whose data a store holds, for one who only reads it. @throws CodedError `store-empty`, `store-corrupt`, `layout-newer`, `layout-older` */
export async function readIdentity(store: Pick<Store, 'entries' | 'get'>): Promise<LogIdentity> {
  await checkLayout(store);
  return writtenIdentity(store);
}

async function checkLayout(store: Pick<Store, 'entries' | 'get'>): Promise<void> {
  const layout = readLayout(store);
  if (!layout.ok) throw new CodedError(layout.refusal);
  if (layout.value === null) {
    if (store.get(RESTORING_KEY) !== undefined) throw restoreUnfinished();
    if (await isEmpty(store)) throw codedError('store-empty', 'the store holds no ledger yet');
    throw corrupt('the store is half written: it holds data but no layout version');
  }
  const judged = judgeLayout(layout.value);
  if (!judged.ok) throw new CodedError(judged.refusal);
}

function restoreUnfinished(): CodedError {
  return codedError('restore-unfinished', 'a snapshot is half restored in this directory; restore it to the end');
}

function writtenIdentity(store: Pick<Store, 'get'>): LogIdentity {
  return checkedRecord(identityCodec, store.get(IDENTITY_KEY), 'the identity');
}

function checkIdentity(store: Store, own: ExpectedIdentity): void {
  const written = writtenIdentity(store);
  if (written.chainId !== own.chainId) {
    throw codedError('chain-mismatch', 'the data directory belongs to another chain', {
      chainId: written.chainId,
      expected: own.chainId,
    });
  }
  if (own.validatorKey !== undefined && written.validatorKey !== own.validatorKey) {
    throw codedError('key-mismatch', 'the data directory belongs to another validator key', {
      validatorKey: written.validatorKey,
      expected: own.validatorKey,
    });
  }
}

/** Whether nothing was ever written to the store, or all of it is gone. */
export async function isEmpty(store: Pick<Store, 'entries'>): Promise<boolean> {
  for await (const _entry of store.entries({ limit: 1 })) return false;
  return true;
}

function put(key: Uint8Array, value: Uint8Array): StoreOperation {
  return { kind: 'put', key, value };
}

function stateOp({ key, value }: StateChange): StoreOperation {
  return value === undefined ? { kind: 'delete', key: stateKey(key) } : put(stateKey(key), value);
}

/** Height, and a check that covers the seal: nothing else does, as the id is that of the header. */
function indexEntry({ block: { header, id }, seal }: SealedBlock): Uint8Array {
  const height = bigEndian(header.height);
  return concatBytes(height, sha256(concatBytes(hashToBytes(id), height, sealCodec.encode(seal))));
}
