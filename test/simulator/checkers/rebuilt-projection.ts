/** A projection built anew, and how a node's rows differ from it. */
import { equalBytes } from '../../../src/base/bytes.ts';
import type { ReplayedBlock } from '../../../src/ledger/replay.ts';
import type { Projection } from '../../../src/projections/projection.ts';
import { PendingRows, Rows } from '../../../src/projections/rows.ts';
import { instantStore, SimulatedDisk } from '../simulated-disk.ts';
import type { Report } from './violation.ts';

const NAME = 'replay';

export class RebuiltProjection {
  readonly #projection: Projection;
  readonly #own = new SimulatedDisk();
  readonly #rows: Rows;
  #height = -1;

  constructor(projection: Projection, generation: number) {
    this.#projection = projection;
    this.#rows = new Rows(instantStore(this.#own), projection.name, generation);
  }

  apply({ block, changes }: ReplayedBlock): void {
    const { events, header } = block;
    this.#height = header.height;
    const pending = new PendingRows(this.#rows);
    pending.add(this.#projection.apply({ header, events, changes }, pending));
    this.#own.apply(this.#rows.writeOps(pending.take(), this.#height), true);
  }

  compare(node: number, disk: SimulatedDisk, report: Report): void {
    const { name } = this.#projection;
    const head = this.#height;
    const served = new Rows(instantStore(disk), name, this.#rows.generation);
    // A projection that is behind is compared when it has caught up.
    if (served.cursor() !== head) return;
    const is = rowsOf(disk, name);
    const shouldBe = rowsOf(this.#own, name);
    for (const [key, value] of shouldBe) {
      const row = is.get(key);
      if (row === undefined || !equalBytes(row, value)) {
        report({ checker: NAME, message: 'a projection equals its replay', details: { node, name, key, head } });
      }
    }
    if (is.size !== shouldBe.size) {
      const details = { node, name, rows: is.size, replayed: shouldBe.size };
      report({ checker: NAME, message: 'a projection has no row that its replay has not', details });
    }
  }
}

function rowsOf(disk: SimulatedDisk, name: string): Map<string, Uint8Array> {
  const rows = new Map<string, Uint8Array>();
  for (const [key, value] of disk.tables.get('P'.charCodeAt(0)) ?? [])
    if (key.startsWith(`P:${name}\0`)) rows.set(key, value);
  return rows;
}
