/**
 * Which records the DHT takes: `/db/<peer id>` holds a node's record with its proof, `/masa/validators` the epoch proof
 * and the validators' addresses. What a value proves is decided by a pure check that is passed in; this file keeps older
 * values from replacing newer ones.
 *
 * libp2p's `PUT_VALUE` runs the validator and not the selector, so the validator itself remembers the greatest height
 * of each key, durably, and refuses a lower one.
 */
import type { SelectFn, Selectors, ValidateFn, Validators } from '@libp2p/kad-dht';
import { textFromUtf8, utf8 } from '../base/bytes.ts';
import { CodedError, codedError, ok, refuse, type Refusal, type Result } from '../base/result.ts';

export type RecordKey = { readonly kind: 'node'; readonly peerId: string } | { readonly kind: 'validators' };

/** Whether the value proves itself for the key, and the height that it is of. */
export type RecordCheck = (key: RecordKey, value: Uint8Array) => Promise<Result<number>> | Result<number>;

/** The greatest height seen of each key; survives a restart. */
export interface HeightMemory {
  get(key: string): number | undefined;
  /** Keeps the greater of this height and the one held. */
  put(key: string, height: number): Promise<void>;
}

export interface RecordRulesOptions {
  readonly check: RecordCheck;
  readonly heights: HeightMemory;
  readonly onRefused?: (key: string, refusal: Refusal) => void;
}

/** What libp2p needs to know when the host is made. Keyed by the first segment of a key's path. */
export interface RecordRules {
  readonly validators: Validators;
  readonly selectors: Selectors;
  /**
   * Judges a value of this node's own as one that arrives, and remembers its height.
   *
   * @throws CodedError
   */
  readonly admit: (key: RecordKey, value: Uint8Array) => Promise<void>;
}

/** A value with its proofs; the read protocol's answers are as large. */
const MAX_RECORD_BYTES = 1 << 20;

export function recordKeyText(key: RecordKey): string {
  return key.kind === 'node' ? `/db/${key.peerId}` : '/masa/validators';
}

function parseRecordKey(text: string): Result<RecordKey> {
  if (text === '/masa/validators') return ok({ kind: 'validators' });
  const [, peerId] = /^\/db\/([1-9A-HJ-NP-Za-km-z]{1,64})$/.exec(text) ?? [];
  if (peerId !== undefined) return ok({ kind: 'node', peerId });
  return refuse('record-key-unknown', 'no record has this key', { key: text.slice(0, 100) });
}

/**
 * Refusals, thrown as libp2p wants them: `record-key-unknown`, `too-large`, `record-stale`, and those of the check.
 */
export function recordRules(options: RecordRulesOptions): RecordRules {
  const guard = new RecordGuard(options);
  const validate: ValidateFn = async (key, value) => {
    await guard.admit(key, value);
  };
  const select: SelectFn = async (key, values) => await guard.greatest(key, values);
  // Public keys of peers are a record type of libp2p that nobody here asks for and anybody may fill memory with.
  const refusePublicKey: ValidateFn = () => {
    throw codedError('record-key-unknown', 'public keys are not kept here');
  };
  return {
    validators: { db: validate, masa: validate, pk: refusePublicKey },
    selectors: { db: select, masa: select },
    admit: async (key, value) => await guard.admit(utf8(recordKeyText(key)), value),
  };
}

class RecordGuard {
  readonly #options: RecordRulesOptions;
  /** Heights on their way to the durable memory. */
  readonly #settling = new Map<string, number>();

  constructor(options: RecordRulesOptions) {
    this.#options = options;
  }

  async admit(keyBytes: Uint8Array, value: Uint8Array): Promise<void> {
    const admitted = await this.#admit(keyBytes, value);
    if (admitted.ok) return;
    this.#options.onRefused?.(printable(keyBytes), admitted.refusal);
    throw new CodedError(admitted.refusal);
  }

  async greatest(keyBytes: Uint8Array, values: readonly Uint8Array[]): Promise<number> {
    const heights = await Promise.all(values.map(async (value) => await this.#heightOf(keyBytes, value)));
    let best = 0;
    let bestHeight = -1;
    for (const [i, height] of heights.entries()) {
      if (!height.ok || height.value <= bestHeight) continue;
      best = i;
      bestHeight = height.value;
    }
    return best;
  }

  async #admit(keyBytes: Uint8Array, value: Uint8Array): Promise<Result<void>> {
    const checked = await this.#heightOf(keyBytes, value);
    if (!checked.ok) return checked;
    const height = checked.value;
    const key = printable(keyBytes);
    const before = this.#greatestKnown(key);
    if (height < before) return stale(height, before);
    if (height === before) return ok(undefined);
    this.#settling.set(key, height);
    await this.#options.heights.put(key, height);
    const after = this.#greatestKnown(key);
    if (this.#settling.get(key) === height) this.#settling.delete(key);
    // A newer value may have come while this one was being remembered, and would be overwritten.
    return height < after ? stale(height, after) : ok(undefined);
  }

  #greatestKnown(key: string): number {
    return Math.max(this.#settling.get(key) ?? -1, this.#options.heights.get(key) ?? -1);
  }

  async #heightOf(keyBytes: Uint8Array, value: Uint8Array): Promise<Result<number>> {
    const key = parseRecordKey(printable(keyBytes));
    if (!key.ok) return key;
    if (value.length > MAX_RECORD_BYTES) {
      return refuse('too-large', 'the record is larger than allowed', {
        bytes: value.length,
        maxBytes: MAX_RECORD_BYTES,
      });
    }
    return await this.#options.check(key.value, value);
  }
}

function stale(height: number, known: number): Result<never> {
  return refuse('record-stale', 'a newer record of this key is known', { height, known });
}

function printable(key: Uint8Array): string {
  try {
    return textFromUtf8(key);
  } catch {
    return '';
  }
}
