/**
 * Readers of a network under faults, who trust the genesis alone: one asks validators singly, as their clients do, the
 * other brings what it holds and asks them all. What they were proven is the history that is checked.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { ok, unwrap, type Result } from '../../src/base/result.ts';
import { trustGenesis } from '../../src/ledger/trusted-chain.ts';
import type { Host } from '../../src/net/host.ts';
import { read } from '../../src/net/read.ts';
import type { ReadReport } from '../../src/node/read-report.ts';
import { rememberingScheme } from '../../src/node/remembering-scheme.ts';
import { VerifiedReader, type ReadSource } from '../../src/node/verified-reader.ts';
import { loadDefaultScheme } from '../../src/qc/default-scheme.ts';
import { eventually } from '../eventually.ts';
import type { TestNetwork } from './harness.ts';
import { KEPT, type Reading } from './linearizability.ts';
import { stranger } from './stranger.ts';

/** For one record, over all peers: a validator that is silent costs no more than this. */
const READ_DEADLINE_MS = 2_000;
const MAX_AGE_MS = 8_000;
const PAUSE_MS = 40;
const MAX_REMEMBERED_SIGNATURES = 1024;
/** What a reader may be told while validators are away or behind. Anything else is a fault. */
const LAWFUL = new Set(['peer-unreachable', 'behind-hint', 'too-old', 'age-unknown', 'busy', 'stopping']);

export interface ReadsOptions {
  readonly seed: number;
  /** Of the records that are read. */
  readonly peerIds: readonly string[];
}

/** Starts at once. */
export class Reads {
  readonly readings: Reading[] = [];
  /** Refusals that no reader may meet, whatever goes wrong around it. */
  readonly refused: string[] = [];
  /** How often nobody answered, or too late, or with too little, by code. */
  readonly unanswered = new Map<string, number>();
  readonly #network: TestNetwork;
  readonly #random: Random;
  readonly #peerIds: readonly string[];
  readonly #workers: Promise<void>[];
  #stopping = false;

  constructor(network: TestNetwork, { seed, peerIds }: ReadsOptions) {
    this.#network = network;
    this.#random = new Random(seed);
    this.#peerIds = peerIds;
    this.#workers = [this.#askOne(), this.#askAll()];
    onTestFinished(() => {
      this.#stopping = true;
    });
  }

  async finish(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
  }

  /** Every record once from every validator, which must all answer. */
  async everywhere(): Promise<void> {
    const { host, reader } = await this.#reader();
    for (const name of this.#network.names('validator')) {
      for (const peerId of this.#peerIds) {
        const source = new Remembered(this.#network, host, name);
        await eventually(`${name} proves the record of ${peerId}`, async () => {
          const found = await this.#timed('at the end', peerId, null, () =>
            reader.read(peerId, [source], { maxAgeMs: undefined, timeoutMs: READ_DEADLINE_MS }),
          );
          return found ?? undefined;
        });
      }
    }
  }

  async #askOne(): Promise<void> {
    const { host, reader } = await this.#reader();
    while (!this.#stopping) {
      const source = new Remembered(this.#network, host, this.#random.pick(this.#network.names('validator')));
      const options = { maxAgeMs: this.#random.chance(0.5) ? MAX_AGE_MS : undefined, timeoutMs: READ_DEADLINE_MS };
      const peerId = this.#random.pick(this.#peerIds);
      await this.#timed('of one', peerId, null, () => reader.read(peerId, [source], options));
      await delay(PAUSE_MS);
    }
  }

  async #askAll(): Promise<void> {
    const { host, reader } = await this.#reader();
    const held = new Map<string, { readonly bytes: Uint8Array; readonly height: number }>();
    while (!this.#stopping) {
      const names = this.#random.shuffled(this.#network.names('validator'));
      const sources = names.map((name) => new Remembered(this.#network, host, name));
      const peerId = this.#random.pick(this.#peerIds);
      const brought = held.get(peerId);
      const options = { maxAgeMs: undefined, timeoutMs: READ_DEADLINE_MS };
      const report = await this.#timed('of all', peerId, brought?.height ?? null, () =>
        brought === undefined
          ? reader.read(peerId, sources, options)
          : reader.readFromHint(peerId, kept(brought.bytes), () => sources, options),
      );
      const bytes = sources.find(({ name }) => name === report?.servedBy)?.last;
      if (report !== null && bytes !== undefined) held.set(peerId, { bytes, height: report.height });
      await delay(PAUSE_MS);
    }
  }

  async #timed(
    reader: string,
    peerId: string,
    floor: number | null,
    ask: () => Promise<Result<ReadReport>>,
  ): Promise<ReadReport | null> {
    const startedMs = Date.now();
    const answer = await ask();
    if (!answer.ok) {
      const { code, message } = answer.refusal;
      this.unanswered.set(code, (this.unanswered.get(code) ?? 0) + 1);
      if (!LAWFUL.has(code)) this.refused.push(`${code}: ${message}`);
      return null;
    }
    const { ageMs, height, lastSeq, node, servedBy } = answer.value;
    this.readings.push({
      ...{ reader, peerId, startedMs, endedMs: Date.now(), height, lastSeq, ageMs, floor },
      servedBy: this.#nameOf(servedBy),
      version: node?.version ?? null,
    });
    return answer.value;
  }

  #nameOf(peerId: string): string {
    return this.#network.testnet.nodes.find((node) => node.peerId === peerId)?.name ?? peerId;
  }

  async #reader(): Promise<{ readonly host: Host; readonly reader: VerifiedReader }> {
    const { genesis } = this.#network;
    const scheme = rememberingScheme((await loadDefaultScheme()).scheme, MAX_REMEMBERED_SIGNATURES);
    const trusted = unwrap(trustGenesis(genesis, scheme));
    const reader = new VerifiedReader({ trusted, parameters: genesis.parameters, scheme, nowMs: () => Date.now() });
    return { host: await stranger(this.#network), reader };
  }
}

/** One validator, and the last bytes that it sent. */
class Remembered implements ReadSource {
  readonly name: string;
  last: Uint8Array | undefined;
  readonly #network: TestNetwork;
  readonly #host: Host;
  readonly #validator: string;

  constructor(network: TestNetwork, host: Host, validator: string) {
    this.#network = network;
    this.#host = host;
    this.#validator = validator;
    this.name = network.node(validator).peerId;
  }

  async ask(peerId: string, deadlineMs: number): Promise<Result<Uint8Array>> {
    const request = { kind: 'records', peerIds: [peerId], withAge: true } as const;
    const answers = await read(this.#host, this.#network.target(this.#validator), request, { deadlineMs });
    if (!answers.ok) return answers;
    [this.last] = answers.value;
    if (this.last === undefined) throw new Error('a request for one record has one answer');
    return ok(this.last);
  }
}

function kept(bytes: Uint8Array): ReadSource {
  return { name: KEPT, ask: () => Promise.resolve(ok(bytes)) };
}
