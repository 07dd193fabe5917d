/** The log against itself: every block decodes, follows its parent and is found by its id; nothing else is. */
import { AssertionError } from '../../base/assert.ts';
import { equalBytes, toHex } from '../../base/bytes.ts';
import { hashFromBytes, type Hash } from '../../base/hash.ts';
import { CodedError } from '../../base/result.ts';
import { BlockLog, floorOps, headOps, indexOps, type LogIdentity } from '../../ledger/block-log.ts';
import { decodeOwnSealedBlock, peekBlockId, type Block, type SealedBlock } from '../../ledger/block.ts';
import { headOf } from '../../ledger/genesis-state.ts';
import { BLOCK_RANGE, blockKey, fromBigEndian, HEIGHT_RANGE, heightKey } from '../../ledger/layout.ts';
import type { Head } from '../../ledger/machine.ts';
import type { Store } from '../../store/store.ts';
import type { Findings, Repair } from './finding.ts';

/** A height and the check of a seal. */
const INDEX_ENTRY_BYTES = 40;

export interface CheckedLog {
  /** Null: it is damaged, and so is the last block. */
  readonly head: Head | null;
  readonly firstHeight: number;
  /** Of the last block, that decodes, behind which there is no gap. */
  readonly last: Block | null;
  readonly blocks: number;
  readonly events: number;
}

/** @param onBlock is told of heights as they are read */
export async function checkLog(
  store: Store,
  identity: LogIdentity,
  findings: Findings,
  onBlock: (height: number) => void,
): Promise<CheckedLog> {
  const walk = new LogWalk(store, identity.chainId, findings);
  for await (const [key, sealedBytes] of store.entries(BLOCK_RANGE)) {
    const height = fromBigEndian(key.subarray(1));
    walk.block(height, sealedBytes);
    onBlock(height);
  }
  await checkIndex(store, walk, findings);
  checkFloor(store, identity, walk, findings);
  const head = checkHead(store, identity, walk.last, walk.lastHeight, findings);
  const { blocks, events, firstHeight, last } = walk;
  return { head, firstHeight, last, blocks, events };
}

class LogWalk {
  readonly #store: Store;
  readonly #chainId: string;
  readonly #findings: Findings;
  #previous: { readonly height: number; readonly id: Hash | null } | null = null;
  /** Blocks that the index leads to. */
  indexed = 0;
  /** Ids that the index leads elsewhere with, as far as their repairs are kept. */
  readonly wrong = new Set<Hash>();
  blocks = 0;
  events = 0;
  firstHeight = 0;
  lastHeight = -1;
  last: Block | null = null;

  constructor(store: Store, chainId: string, findings: Findings) {
    this.#store = store;
    this.#chainId = chainId;
    this.#findings = findings;
  }

  block(height: number, sealedBytes: Uint8Array): void {
    const previous = this.#previous;
    if (previous === null) this.firstHeight = height;
    else if (height !== previous.height + 1) this.#gap(previous.height + 1, height - 1);
    const sealed = this.#decoded(height, sealedBytes);
    const block = sealed?.block ?? null;
    this.blocks++;
    this.lastHeight = height;
    this.last = block;
    this.#previous = { height, id: block?.id ?? null };
    if (sealed === null || block === null) return;
    this.events += block.events.length;
    const parent = previous?.height === height - 1 ? previous.id : null;
    if (parent !== null && block.header.parentId !== parent) {
      const details = { height, parentId: block.header.parentId, parent };
      this.#findings.addFinding(
        'verify-parent-differs',
        'a block does not name the block before it as its parent',
        details,
      );
    }
    this.#checkIndexOf(sealed, height);
  }

  #gap(from: number, to: number): void {
    this.#findings.addFinding('verify-block-missing', 'blocks are missing from the log', { from, to });
  }

  #decoded(height: number, sealedBytes: Uint8Array): SealedBlock | null {
    let because: string;
    try {
      const sealed = decodeOwnSealedBlock(this.#chainId, sealedBytes);
      if (sealed.ok && sealed.value.block.header.height === height) return sealed.value;
      because = sealed.ok ? `it is of height ${sealed.value.block.header.height}` : sealed.refusal.code;
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      because = error.message;
    }
    this.#findings.addFinding('verify-block-damaged', 'a block of the log is not one', { height, because });
    return null;
  }

  #checkIndexOf(sealed: SealedBlock, height: number): void {
    const { id } = sealed.block;
    const indexed = this.#store.get(heightKey(id));
    const operations = indexOps(sealed);
    const [entry] = operations;
    if (indexed !== undefined) this.indexed++;
    if (indexed !== undefined && entry?.kind === 'put' && equalBytes(entry.value, indexed)) return;
    const repair = { kind: 'operations', says: 'write its height under its id', operations } as const;
    if (indexed === undefined) {
      this.#findings.addFinding('verify-index-missing', 'a block is not found by its id', { height, id }, repair);
    } else if (heightIn(indexed) === height) {
      // Only the seal itself says what it was.
      const message = 'the seal of a block, or the check of it, has changed since it was written';
      this.#findings.addFinding('verify-seal-damaged', message, { height, id });
    } else {
      const details = { height, id, indexed: toHex(indexed) };
      this.#findings.addFinding('verify-index-wrong', 'the id of a block leads to another height', details, repair);
      if (this.#findings.repairs.at(-1) === repair) this.wrong.add(id);
    }
  }
}

/** @returns null of what is no entry of the index */
function heightIn(indexed: Uint8Array): number | null {
  return indexed.length === INDEX_ENTRY_BYTES ? fromBigEndian(indexed) : null;
}

/**
 * @param walk `indexed` entries lead to a block, or will once they are repaired: what is more has none. Where too many are
 *   `wrong` for their repairs to be kept, the rest counts as without a block too, and no repair of that is kept either
 */
async function checkIndex(
  store: Store,
  { indexed, wrong }: Pick<LogWalk, 'indexed' | 'wrong'>,
  findings: Findings,
): Promise<void> {
  let entries = 0;
  for await (const _entry of store.entries(HEIGHT_RANGE)) entries++;
  if (entries === indexed) return;
  for await (const [key, value] of store.entries(HEIGHT_RANGE)) {
    const id = idIn(key);
    const height = heightIn(value);
    const sealedBytes = height === null ? undefined : store.get(blockKey(height));
    if (id !== null && sealedBytes !== undefined && peekBlockId(sealedBytes) === id) continue;
    // One that leads to the wrong height is put right, and told of, where its block is.
    if (id !== null && wrong.has(id)) continue;
    const operation = { kind: 'delete', key: key.slice() } as const;
    findings.addFinding(
      'verify-index-orphan',
      'the index has an id of which the log has no block',
      { id: id ?? toHex(key), height },
      { kind: 'operations', says: 'delete it', operations: [operation] },
    );
  }
}

function idIn(key: Uint8Array): Hash | null {
  try {
    return hashFromBytes(key.subarray(1));
  } catch (error) {
    if (error instanceof AssertionError) return null;
    throw error;
  }
}

/** Blocks are dropped in the batch that moves the floor: the first one stands at it. */
function checkFloor(
  store: Store,
  identity: LogIdentity,
  { blocks, firstHeight }: Pick<LogWalk, 'blocks' | 'firstHeight'>,
  findings: Findings,
): void {
  if (blocks === 0) return;
  const operations = floorOps(firstHeight);
  const repair: Repair = {
    kind: 'operations',
    says: `write the height of the first block, ${firstHeight}`,
    operations,
  };
  let floor: number;
  try {
    floor = BlockLog.over(store, identity).floor();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const message = 'the record of where the log begins is missing or damaged';
    findings.addFinding('verify-floor-damaged', message, { because: error.message }, repair);
    return;
  }
  if (floor > firstHeight) {
    const details = { floor, firstHeight };
    findings.addFinding('verify-floor-damaged', 'the log has blocks below where it begins', details, repair);
  } else if (floor < firstHeight) {
    const details = { from: floor, to: firstHeight - 1 };
    findings.addFinding('verify-block-missing', 'blocks are missing from the log', details);
  }
}

function checkHead(
  store: Store,
  identity: LogIdentity,
  last: Block | null,
  lastHeight: number,
  findings: Findings,
): Head | null {
  const derived = last === null ? null : headOf(last);
  const repair =
    derived === null
      ? null
      : ({ kind: 'operations', says: 'write that of the last block', operations: headOps(derived) } as const);
  let head: Head;
  try {
    head = BlockLog.over(store, identity).head();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    findings.addFinding(
      'verify-head-damaged',
      'the record of the head is missing or damaged',
      { because: error.message },
      repair,
    );
    return derived;
  }
  const { blockId, height, stateRoot, timestamp } = head;
  if (height !== lastHeight) {
    // Which of them is true, the log alone cannot tell: blocks are written with their head.
    findings.addFinding('verify-head-elsewhere', 'the head is not the last block of the log', {
      height,
      last: lastHeight,
    });
    return null;
  }
  if (derived === null) return null;
  const { blockId: id, stateRoot: root, timestamp: time } = derived;
  if (blockId !== id || stateRoot !== root || timestamp !== time) {
    findings.addFinding(
      'verify-head-damaged',
      'the record of the head is not that of the last block',
      { height, id },
      repair,
    );
  }
  return derived;
}
