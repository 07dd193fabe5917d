/**
 * What a node keeps is a function of its log: its state equals the state of a replay, key by key, and each projection
 * equals one that is built anew from genesis, row by row.
 */
import { equalBytes, textFromUtf8 } from '../../../src/base/bytes.ts';
import type { BlockLog } from '../../../src/ledger/block-log.ts';
import { STATE_RANGE } from '../../../src/ledger/layout.ts';
import { Replay } from '../../../src/ledger/replay.ts';
import { CATALOG } from '../../../src/projections/catalog.ts';
import type { Projection } from '../../../src/projections/projection.ts';
import { PendingRows, readPointer, Rows } from '../../../src/projections/rows.ts';
import { instantStore, SimulatedDisk } from '../simulated-disk.ts';
import type { SimulatedChain } from '../simulated-keys.ts';
import type { Report } from './violation.ts';

const NAME = 'replay';

export interface ReplayedNode {
  readonly id: number;
  readonly disk: SimulatedDisk;
  readonly log: BlockLog;
}

/** @returns heights replayed */
export function checkAgainstReplay(node: ReplayedNode, chain: SimulatedChain, report: Report): number {
  const { disk, id, log } = node;
  const replay = new Replay({ genesis: chain.state, validatorsOf: () => chain.validators });
  const rebuilt = CATALOG.map((projection) => new Rebuilt(projection, disk));
  for (const one of rebuilt) one.apply(replay.first);
  const { height: head } = log.head();
  for (let height = 1; height <= head; height++) {
    const sealed = log.sealedBlockAt(height);
    const replayed = sealed === undefined ? undefined : replay.step(sealed);
    if (replayed?.ok !== true) {
      report({ checker: NAME, message: 'a log replays', details: { node: id, height } });
      return height;
    }
    for (const one of rebuilt) one.apply(replayed.value);
  }
  const state = Array.from(
    disk.entries(STATE_RANGE),
    ([key, value]) => [textFromUtf8(key.subarray(1)), value] as const,
  );
  const expected = new Map(replay.state.entries);
  for (const [key, value] of state) {
    if (!isSame(expected.get(key), value)) {
      report({ checker: NAME, message: 'the state is that of a replay', details: { node: id, key } });
    }
    expected.delete(key);
  }
  for (const key of expected.keys()) {
    report({ checker: NAME, message: 'the state has all that a replay has', details: { node: id, key } });
  }
  for (const one of rebuilt) one.compare(id, head, report);
  return head;
}

/** A projection's rows as they are, and as they should be. */
class Rebuilt {
  readonly #projection: Projection;
  readonly #disk: SimulatedDisk;
  readonly #own = new SimulatedDisk();
  readonly #rows: Rows;
  #height = -1;

  constructor(projection: Projection, disk: SimulatedDisk) {
    this.#projection = projection;
    this.#disk = disk;
    const generation = readPointer(instantStore(disk), projection.name)?.generation ?? 0;
    this.#rows = new Rows(instantStore(this.#own), projection.name, generation);
  }

  apply({ block, changes }: Replay['first']): void {
    const { events, header } = block;
    this.#height = header.height;
    const pending = new PendingRows(this.#rows);
    pending.add(this.#projection.apply({ header, events, changes }, pending));
    this.#own.apply(this.#rows.writeOps(pending.take(), this.#height), true);
  }

  compare(node: number, head: number, report: Report): void {
    const { name } = this.#projection;
    const served = new Rows(instantStore(this.#disk), name, this.#rows.generation);
    // A projection that is behind is compared when it has caught up.
    if (served.cursor() !== head) return;
    const is = rowsOf(this.#disk, name);
    const shouldBe = rowsOf(this.#own, name);
    for (const [key, value] of shouldBe) {
      if (!isSame(is.get(key), value)) {
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

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && equalBytes(a, b);
}
