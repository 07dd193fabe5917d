/** Puts and gets of self-certifying records in the Kademlia DHT under `/masa`, with what became of them. */
import type { KadDHT } from '@libp2p/kad-dht';
import { equalBytes, utf8 } from '../base/bytes.ts';
import { codedError } from '../base/result.ts';
import type { Host } from './host.ts';
import { recordKeyText, type RecordCheck, type RecordKey, type RecordRules } from './record-rules.ts';

export interface PutOutcome {
  /** Peers that keep the value now. */
  readonly stored: number;
  readonly failed: number;
  /** The first reason, when any failed. */
  readonly reason: string | null;
}

export interface FoundRecord {
  readonly value: Uint8Array;
  readonly height: number;
  /** How many peers answered with any value. */
  readonly answers: number;
  /** False when the deadline, or a peer that would not take a correction, ended the search. */
  readonly complete: boolean;
}

export class DhtRecords {
  readonly #dht: KadDHT;
  readonly #rules: RecordRules;
  readonly #check: RecordCheck;

  /** @throws CodedError `dht-off` when the host was created without the DHT */
  constructor(host: Host, check: RecordCheck) {
    if (host.dht === undefined || host.recordRules === undefined) {
      throw codedError('dht-off', 'the host was created without the DHT');
    }
    this.#dht = host.dht;
    this.#rules = host.recordRules;
    this.#check = check;
  }

  /**
   * Stores the value at the peers closest to the key.
   *
   * @throws CodedError when this node itself would refuse the value: libp2p's own put would not look
   */
  async put(key: RecordKey, value: Uint8Array, options: { readonly deadlineMs: number }): Promise<PutOutcome> {
    await this.#rules.admit(key, value);
    let stored = 0;
    const reasons: string[] = [];
    try {
      const signal = AbortSignal.timeout(options.deadlineMs);
      for await (const event of this.#dht.put(utf8(recordKeyText(key)), value, { signal })) {
        if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') {
          if (event.record !== undefined && equalBytes(event.record.value, value)) stored++;
        } else if (event.name === 'QUERY_ERROR') reasons.push(event.error.message);
      }
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
    return { stored, failed: reasons.length, reason: reasons[0] ?? null };
  }

  /**
   * The value of the greatest height among those that prove themselves.
   *
   * @param options.enough stop after this many peers answered with a value; default: ask all that are close
   * @returns undefined when no peer gave one before the deadline
   */
  async get(
    key: RecordKey,
    options: { readonly deadlineMs: number; readonly enough?: number },
  ): Promise<FoundRecord | undefined> {
    let best: { readonly value: Uint8Array; readonly height: number } | undefined;
    let answers = 0;
    let complete = true;
    try {
      const signal = AbortSignal.timeout(options.deadlineMs);
      for await (const event of this.#dht.get(utf8(recordKeyText(key)), { signal })) {
        const value =
          event.name === 'VALUE' ? event.value : event.name === 'PEER_RESPONSE' ? event.record?.value : undefined;
        if (value === undefined) continue;
        if (event.name === 'PEER_RESPONSE') answers++;
        const height = await this.#check(key, value);
        if (height.ok && height.value > (best?.height ?? -1)) {
          best = { value: new Uint8Array(value), height: height.value };
        }
        if (answers >= (options.enough ?? Infinity)) break;
      }
    } catch {
      // What was found until then stands.
      complete = false;
    }
    return best === undefined ? undefined : { ...best, answers, complete };
  }
}
