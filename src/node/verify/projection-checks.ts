/** Pointers, cursors and generations of projections. Whether their rows are right, only a replay tells. */
import { concatBytes, textFromUtf8, utf8 } from '../../base/bytes.ts';
import { CodedError } from '../../base/result.ts';
import type { BlockLog } from '../../ledger/block-log.ts';
import { fromBigEndian, projectionKey, rangeOf } from '../../ledger/layout.ts';
import type { Head } from '../../ledger/machine.ts';
import { CATALOG } from '../../projections/catalog.ts';
import type { Projection } from '../../projections/projection.ts';
import { readPointer, Rows, type Pointer } from '../../projections/rows.ts';
import type { Store } from '../../store/store.ts';
import type { Findings, Repair } from './finding.ts';

/** Of a name, a zero and a generation, in a key of a row or of a cursor. */
const GENERATION_BYTES = 8;

/** Of the log: its last block, and the height of its first one, above 0 where it is executed from a snapshot on. */
export interface LogEnds {
  readonly head: Head;
  readonly firstHeight: number;
}

export async function checkProjections(store: Store, log: BlockLog, ends: LogEnds, findings: Findings): Promise<void> {
  const serving = new Map<string, number | null>();
  for (const projection of CATALOG) serving.set(projection.name, checkPointer(store, log, ends, projection, findings));
  for (const { generation, name, prefixes } of await generationsIn(store)) {
    const served = serving.get(name);
    // One of another version of the program is its own affair; one whose pointer is damaged is built again as a whole.
    if (served === undefined || served === generation || served === null) continue;
    for (const prefix of prefixes) {
      const repair: Repair = { kind: 'range', says: 'delete its rows', prefix };
      const message = 'there are rows of a projection that nothing points to';
      findings.addFinding('verify-projection-orphan', message, { name, generation }, repair);
    }
  }
}

/** @returns the generation that serves; null: it is not known; -1: none */
function checkPointer(
  store: Store,
  log: BlockLog,
  { firstHeight, head }: LogEnds,
  projection: Projection,
  findings: Findings,
): number | null {
  const { name, version } = projection;
  const repair: Repair = { kind: 'replay', says: sourceOf(projection, firstHeight), what: { projection: name } };
  let pointer: Pointer | undefined;
  let cursor: number;
  try {
    pointer = readPointer(store, name);
    if (pointer === undefined) return -1;
    cursor = new Rows(store, name, pointer.generation).cursor();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const message = 'the pointer or the cursor of a projection is damaged';
    findings.addFinding('verify-projection-damaged', message, { name, because: error.message }, repair);
    return pointer?.generation ?? null;
  }
  // The node builds one of another version by itself.
  if (pointer.version !== version) return pointer.generation;
  const details = { name, cursor, head: head.height };
  if (cursor > head.height) {
    findings.addFinding('verify-projection-damaged', 'a projection is ahead of the log', details, repair);
  } else if (cursor < head.height && !isKept(log, cursor + 1)) {
    const message = 'a projection is behind, and what it needs to go on is not kept';
    findings.addFinding('verify-projection-behind', message, details, repair);
  }
  return pointer.generation;
}

function sourceOf({ isOfStateAlone }: Projection, firstHeight: number): string {
  if (firstHeight === 0) return 'build it from the log';
  const source = 'build it from a snapshot and the blocks behind it';
  return isOfStateAlone === true ? source : `${source}; what it tells of blocks before goes`;
}

/** @returns whether the log knows what the block changed; damaged changes have a finding of their own, and go */
function isKept(log: BlockLog, height: number): boolean {
  try {
    return log.changesAt(height) !== undefined;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return false;
  }
}

interface Generation {
  readonly name: string;
  readonly generation: number;
  readonly prefixes: readonly Uint8Array[];
}

/** Found by jumping from one to the next, so that rows are not read. */
async function generationsIn(store: Store): Promise<readonly Generation[]> {
  const found = new Map<string, Generation>();
  for (const kind of ['#', ':']) {
    const { gte, lt } = rangeOf(projectionKey(utf8(kind)));
    for (let from = gte; ;) {
      const next = await firstKey(store, from, lt);
      const prefix = next && instanceIn(next);
      if (prefix === undefined) break;
      const name = textFromUtf8(prefix.subarray(2, -GENERATION_BYTES - 1));
      const generation = fromBigEndian(prefix.subarray(-GENERATION_BYTES));
      const before = found.get(`${name} ${generation}`)?.prefixes ?? [];
      found.set(`${name} ${generation}`, { name, generation, prefixes: [...before, prefix] });
      from = rangeOf(prefix).lt;
    }
  }
  return [...found.values()];
}

async function firstKey(store: Store, gte: Uint8Array, lt: Uint8Array): Promise<Uint8Array | undefined> {
  for await (const [key] of store.entries({ gte, lt, limit: 1 })) return key.slice();
  return undefined;
}

/** Up to the end of the generation. */
function instanceIn(key: Uint8Array): Uint8Array | undefined {
  const nul = key.indexOf(0);
  const end = nul + 1 + GENERATION_BYTES;
  return nul < 0 || key.length < end ? undefined : concatBytes(key.subarray(0, end));
}
