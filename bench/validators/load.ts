/**
 * The load on the validators: one client, this process, with one long-lived binary stream to each of them. Its events
 * are signed beforehand, so that it takes as little as it can of the cores that it shares with the validators; what it
 * takes is reported beside what they take.
 */
import { createHost, type Host } from '../../src/net/host.ts';
import { SubmissionClient } from '../../src/net/submission-client.ts';
import { generateIdentityKey } from '../../src/node/keys.ts';
import type { ValidatorNetwork } from './network.ts';

const OPEN_DEADLINE_MS = 10_000;

export interface Load {
  /** Events that may be unanswered at any time. */
  readonly inFlight: number;
  /** Events of one batch. */
  readonly batch: number;
}

export interface LoadResult {
  readonly events: number;
  /** From the first submission to the last acknowledgement. */
  readonly seconds: number;
  /** From a batch's submission to its acknowledgement: all its events are committed and durable. */
  readonly latenciesMs: readonly number[];
  readonly cpuMs: { readonly validators: number; readonly client: number };
  /** Blocks committed, the empty ones that committing takes included. */
  readonly blocks: number;
}

export class LoadGenerator {
  readonly #network: ValidatorNetwork;
  readonly #host: Host;
  readonly #clients: readonly SubmissionClient[];

  private constructor(network: ValidatorNetwork, host: Host, clients: readonly SubmissionClient[]) {
    this.#network = network;
    this.#host = host;
    this.#clients = clients;
  }

  static async open(network: ValidatorNetwork): Promise<LoadGenerator> {
    const { chainId } = network.testnet;
    const { protobuf: bytes } = generateIdentityKey('ed25519');
    const host = await createHost({ identity: bytes, listen: [], chainId });
    const options = { deadlineMs: OPEN_DEADLINE_MS };
    const clients = await Promise.all(network.targets().map((to) => SubmissionClient.open(host, to, options)));
    return new LoadGenerator(network, host, clients);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.#host.stop();
  }

  /** Submits them all; the validators take turns, batch by batch. @throws Error when one is refused */
  async run(events: readonly Uint8Array[], load: Load): Promise<LoadResult> {
    const before = await this.#network.settled();
    const clientBefore = process.cpuUsage();
    const startedMs = performance.now();
    const latenciesMs = await this.#submit(events, load);
    const seconds = (performance.now() - startedMs) / 1000;
    const { user, system } = process.cpuUsage(clientBefore);
    const expected = (before[0]?.eventsCommitted ?? 0) + events.length;
    const after = await this.#network.settled(expected);
    if (after.some(({ eventsCommitted }) => eventsCommitted !== expected))
      throw new Error('an event was committed twice');
    const cpuMs = after.reduce((sum, status, index) => sum + status.cpuMs - (before[index]?.cpuMs ?? 0), 0);
    return {
      events: events.length,
      seconds,
      latenciesMs,
      cpuMs: { validators: cpuMs, client: (user + system) / 1000 },
      blocks: (after[0]?.height ?? 0) - (before[0]?.height ?? 0),
    };
  }

  async #submit(events: readonly Uint8Array[], { batch, inFlight }: Load): Promise<readonly number[]> {
    const latenciesMs: number[] = [];
    let next = 0;
    const submitInTurn = async (worker: number): Promise<void> => {
      for (let turn = worker; next < events.length; turn++) {
        const client = this.#clients[turn % this.#clients.length] as SubmissionClient;
        const part = events.slice(next, next + batch);
        next += part.length;
        const startedMs = performance.now();
        for (const answer of await client.submit(part)) {
          if (answer.kind === 'refused') throw new Error(`an event was refused: ${JSON.stringify(answer.refusal)}`);
        }
        latenciesMs.push(performance.now() - startedMs);
      }
    };
    await Promise.all(Array.from({ length: Math.ceil(inFlight / batch) }, (_, worker) => submitInTurn(worker)));
    return latenciesMs;
  }
}
