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

export class RebuiltProjection {
  readonly #projection: Projection;
  /** By key without prefix. */
  readonly #rows = new Map<string, Uint8Array>();
  readonly #reader = { get: (key: Uint8Array) => this.#rows.get(latin1(key)) };
  #height = -1;

  constructor(projection: Projection) {
    this.#projection = projection;
  }

  apply({ block, changes }: ReplayedBlock): void {
    const { events, header } = block;
    this.#height = header.height;
    for (const operation of this.#projection.apply({ header, events, changes }, this.#reader)) {
      if (operation.kind === 'put') this.#rows.set(latin1(operation.key), operation.value);
      else this.#rows.delete(latin1(operation.key));
    }
  }

  compare(node: number, disk: SimulatedDisk, report: Report): void {
    const { name } = this.#projection;
    const head = this.#height;
    const generation = readPointer(instantStore(disk), name)?.generation ?? 0;
    // A projection that is behind is compared when it has caught up.
    if (new Rows(instantStore(disk), name, generation).cursor() !== head) return;
    const is = rowsOf(disk, name);
    const prefix = latin1(projectionKey(concatBytes(utf8(`:${name}\0`), bigEndian(generation))));
    for (const [key, value] of this.#rows) {
      const row = is.get(prefix + key);
      if (row === undefined || !equalBytes(row, value)) {
        report({ checker: NAME, message: 'a projection equals its replay', details: { node, name, key, head } });
      }
    }
    if (is.size !== this.#rows.size) {
      const details = { node, name, rows: is.size, replayed: this.#rows.size };
      report({ checker: NAME, message: 'a projection has no row that its replay has not', details });
    }
  }
}

/** Of all generations: only one that serves may be there once it has caught up. */
function rowsOf(disk: SimulatedDisk, name: string): Map<string, Uint8Array> {
  const rows = new Map<string, Uint8Array>();
  for (const [key, value] of disk.tables.get('P'.charCodeAt(0)) ?? [])
    if (key.startsWith(`P:${name}\0`)) rows.set(key, value);
  return rows;
}
