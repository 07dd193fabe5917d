/** What `hotledger verify` finds in a data directory, and what can be done about it. */
import type { Detail } from '../../base/result.ts';
import type { StoreOperation } from '../../store/store.ts';

export interface Finding {
  /** Of docs/errors.md. */
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, Detail>>;
  /** Null: it cannot be derived from what else is there. */
  readonly repair: Repair | null;
}

/** How what is damaged or missing is derived again. */
export type Repair =
  /** From what lies beside it. */
  | { readonly kind: 'operations'; readonly says: string; readonly operations: readonly StoreOperation[] }
  /** All keys that begin so: rows that nothing points to. */
  | { readonly kind: 'range'; readonly says: string; readonly prefix: Uint8Array }
  /** A folder of a snapshot goes. */
  | { readonly kind: 'snapshot'; readonly says: string; readonly height: number }
  /** By executing the log again. */
  | { readonly kind: 'replay'; readonly says: string; readonly what: 'state' | { readonly projection: string } };

/** Findings of one kind: a store that lost a table has one for each block, and the first hundred say enough. */
export const MAX_TOLD_OF_A_CODE = 100;

/** Some 50 MB of memory; what is more is found again once these are made. */
export const MAX_REPAIRS_AT_ONCE = 100_000;

export class Findings {
  readonly #list: Finding[] = [];
  readonly #counts = new Map<string, number>();
  readonly #repairs: Repair[] = [];
  readonly #maxRepairs: number;

  /** @param maxRepairs of all codes together, that are kept to be made */
  constructor(maxRepairs = MAX_REPAIRS_AT_ONCE) {
    this.#maxRepairs = maxRepairs;
  }

  get all(): readonly Finding[] {
    return this.#list;
  }

  /** By code, those that are not in the list too. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Of those that are not in the list too, up to the bound. */
  get repairs(): readonly Repair[] {
    return this.#repairs;
  }

  addFinding(code: string, message: string, details: Finding['details'], repair: Repair | null = null): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count <= MAX_TOLD_OF_A_CODE) this.#list.push({ code, message, details, repair });
    if (repair !== null && this.#repairs.length < this.#maxRepairs) this.#repairs.push(repair);
  }

  /** Two looks that found the same. */
  equals(other: Findings): boolean {
    const plain = ({ counts, all }: Findings) =>
      JSON.stringify([[...counts], all.map(({ code, details }) => [code, details])]);
    return plain(this) === plain(other);
  }

  has(...codes: readonly string[]): boolean {
    return codes.some((code) => this.#counts.has(code));
  }
}
