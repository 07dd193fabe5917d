/**
 * Looks at a cluster of a test while it runs, and throws when one of the five properties of the paper's figure 3 breaks, or
 * a read would be stale.
 * It knows more than any server: who led, and every entry that any server applied.
 */
import { textFromUtf8 } from '../../src/base/bytes.ts';
import type { RaftEngine } from '../../src/raft/engine.ts';
import type { Entry } from '../../src/raft/messages.ts';

export class Watch {
  readonly #leaders = new Map<number, string>();
  /** What is committed: the entry at each index, as the first server that applied it had it. */
  readonly #committed: string[] = [];
  readonly #reads = new Map<number, number>();

  /** Election safety, and leader completeness. */
  leads(id: string, term: number, engine: RaftEngine): void {
    const other = this.#leaders.get(term) ?? id;
    if (other !== id) throw new Error(`${other} and ${id} both lead in term ${term}`);
    this.#leaders.set(term, id);
    const { firstIndex } = engine.status();
    for (let index = firstIndex; index < this.#committed.length; index++) {
      const committed = this.#committed[index];
      const entry = engine.entry(index);
      const held = entry === undefined ? 'nothing' : describe(entry);
      if (committed !== undefined && committed !== held)
        throw new Error(`${id} leads in term ${term} with ${held} where ${committed} is committed`);
    }
  }

  /** State machine safety. */
  applies(id: string, entry: Entry): void {
    const committed = (this.#committed[entry.index] ??= describe(entry));
    if (committed !== describe(entry)) throw new Error(`${id} applies ${describe(entry)}, others ${committed}`);
  }

  /** A read is asked for: it must not miss what any server has applied by now. */
  asksToRead(request: number): void {
    this.#reads.set(request, this.#committed.length - 1);
  }

  mayRead(id: string, request: number, index: number): void {
    const least = this.#reads.get(request) ?? 0;
    if (index < least) throw new Error(`${id} reads at ${index} what was at ${least} before it was asked`);
  }

  /** Log matching: two logs with the same entry at an index are the same up to there. */
  compare(logs: readonly { readonly id: string; readonly engine: RaftEngine }[]): void {
    for (const [position, a] of logs.entries()) for (const b of logs.slice(position + 1)) compareTwo(a, b);
  }
}

type Named = { readonly id: string; readonly engine: RaftEngine };

function compareTwo(a: Named, b: Named): void {
  let areSame = false;
  const first = Math.max(a.engine.status().firstIndex, b.engine.status().firstIndex);
  for (let index = Math.min(a.engine.status().lastIndex, b.engine.status().lastIndex); index >= first; index--) {
    const [inA, inB] = [a.engine.entry(index), b.engine.entry(index)];
    if (inA === undefined || inB === undefined) throw new Error(`entry ${index} is missing in ${a.id} or ${b.id}`);
    if (areSame && describe(inA) !== describe(inB))
      throw new Error(`${a.id} has ${describe(inA)} and ${b.id} ${describe(inB)} before an entry that both have`);
    areSame ||= inA.term === inB.term;
  }
}

/** `command 7 of term 2: text` */
export function describe({ index, term, type, data }: Entry): string {
  return `entry ${index} of term ${term}, type ${type}: ${data === null ? '' : textFromUtf8(data)}`;
}
