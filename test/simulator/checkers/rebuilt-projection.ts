/** A projection built anew, and how a node's rows differ from it. */
import { concatBytes, equalBytes, utf8 } from '../../../src/base/bytes.ts';
import { bigEndian, projectionKey } from '../../../src/ledger/layout.ts';
import type { ReplayedBlock } from '../../../src/ledger/replay.ts';
import type { Projection } from '../../../src/projections/projection.ts';
import { readPointer, Rows } from '../../../src/projections/rows.ts';
import { latin1 } from '../latin1.ts';
import { instantStore, type SimulatedDisk } from '../simulated-disk.ts';
import type { Report } from './violation.ts';

const NAME = 'replay';

/** What the last blocks wrote over is kept: a node's rows may be so many blocks behind its log. */
const MAX_BLOCKS_BEHIND = 1_024;

type RowMap = Map<string, Uint8Array>;

export class RebuiltProjection {
  readonly #projection: Projection;
  /** By key without prefix. */
  readonly #rows: RowMap = new Map();
  /** By block, the last one last: its rows before it. */
  readonly #before: Map<string, Uint8Array | undefined>[] = [];
  readonly #reader = { get: (key: string) => this.#rows.get(key) };
  #height = -1;

  constructor(projection: Projection) {
    this.#projection = projection;
  }

  apply({ block, changes }: ReplayedBlock): void {
    const { events, header } = block;
    this.#height = header.height;
    const before = new Map<string, Uint8Array | undefined>();
    this.#before.push(before);
    if (this.#before.length > MAX_BLOCKS_BEHIND) this.#before.shift();
    for (const operation of this.#projection.apply({ header, events, changes }, this.#reader)) {
      const { key } = operation;
      if (!before.has(key)) before.set(key, this.#rows.get(key));
      if (operation.kind === 'put') this.#rows.set(key, operation.value);
      else this.#rows.delete(key);
    }
  }

  /** At the height at which the node's rows are. @returns false: they are too far behind */
  compare(node: number, disk: SimulatedDisk, report: Report): boolean {
    const { name } = this.#projection;
    const generation = readPointer(instantStore(disk), name)?.generation ?? 0;
    const head = new Rows(instantStore(disk), name, generation).cursor();
    const should = this.#rowsAt(head);
    if (should === null) return false;
    const is = rowsOf(disk, name);
    const prefix = latin1(projectionKey(concatBytes(utf8(`:${name}\0`), bigEndian(generation))));
    for (const [key, value] of should) {
      const row = is.get(prefix + key);
      if (row === undefined || !equalBytes(row, value)) {
        report({ checker: NAME, message: 'a projection equals its replay', details: { node, name, key, head } });
      }
    }
    if (is.size !== should.size) {
      const details = { node, name, rows: is.size, replayed: should.size };
      report({ checker: NAME, message: 'a projection has no row that its replay has not', details });
    }
    return true;
  }

  #rowsAt(height: number): RowMap | null {
    const behind = this.#height - height;
    if (behind === 0) return this.#rows;
    if (behind < 0 || behind > this.#before.length) return null;
    const rows = new Map(this.#rows);
    for (const before of this.#before.slice(-behind).reverse()) {
      for (const [key, value] of before) {
        if (value === undefined) rows.delete(key);
        else rows.set(key, value);
      }
    }
    return rows;
  }
}

/** Of all generations: only one that serves may be there once it has caught up. */
function rowsOf(disk: SimulatedDisk, name: string): RowMap {
  const rows: RowMap = new Map();
  for (const [key, value] of disk.tables.get('P'.charCodeAt(0)) ?? [])
    if (key.startsWith(`P:${name}\0`)) rows.set(key, value);
  return rows;
}
