/**
 * Nodes that submit one event after another, each with one in flight, and repeat an event until it is answered for
 * good: what was acknowledged, by whom and when, is the history that a ledger must never contradict.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { CodedError, type Refusal } from '../../src/base/result.ts';
import type { Hash } from '../../src/base/hash.ts';
import { simulatedKeys } from '../../src/cli/devnet/simulated-keys.ts';
import type { WrittenEvent } from '../../src/ledger/event.ts';
import type { Host } from '../../src/net/host.ts';
import { SubmissionClient } from '../../src/net/submission-client.ts';
import type { SubmissionAnswer } from '../../src/net/submission-wire.ts';
import type { IdentityKey } from '../../src/node/keys.ts';
import { signEvent, type EventBody, type OwnSignedEvent } from '../../src/node/sign-event.ts';
import { eventually } from '../eventually.ts';
import type { TestNetwork } from './harness.ts';
import { stranger } from './stranger.ts';

const OPEN_DEADLINE_MS = 2_000;
/** A validator that is silent for this long is left for another; its answer still counts when it comes. */
const ANSWER_DEADLINE_MS = 3_000;
const RETRY_MS = 100;
const NOT_SETTLED = new Set([
  ...['busy', 'no-quorum', 'not-committed-yet', 'stopping'],
  // A validator of an older program; another one takes it.
  'schema-not-known',
  // Of a Raft cluster.
  ...['not-leader', 'leadership-lost', 'transferring', 'before-base'],
]);

/** An event of the load, as its node meant it. */
export interface Submission {
  readonly id: Hash;
  readonly peerId: string;
  readonly seq: number;
  /** What its record says once the event is in it. */
  readonly version: string | null;
  /** When it was sent first, unix milliseconds. */
  readonly sentMs: number;
}

export interface Acknowledgement {
  readonly id: Hash;
  readonly peerId: string;
  readonly seq: number;
  /** Null when the event was committed before it was sent this time. */
  readonly height: number | null;
  /** Name of the validator that answered. */
  readonly by: string;
  /** When the answer was here, unix milliseconds. */
  readonly atMs: number;
}

const CAPABILITIES = {
  isTwitterScraper: false,
  isDiscordScraper: false,
  isTelegramScraper: false,
  isWebScraper: true,
};

/** A node's key, and its events in order. */
export class Author {
  readonly key: IdentityKey;
  readonly #chainId: string;
  #lastSeq = 0;
  #made = 0;

  constructor(chainId: string, key: IdentityKey) {
    this.#chainId = chainId;
    this.key = key;
  }

  /** It joins, and then changes its version again and again. */
  next(): OwnSignedEvent {
    const made = this.#made++;
    if (made === 0) return this.sign({ type: 'joined', multiaddrs: [], version: 'v0', ...CAPABILITIES });
    return this.sign({ type: 'versionChanged', version: `v${made}` });
  }

  /** @param over fields in place of the honest ones */
  sign(body: EventBody, over: Partial<WrittenEvent> = {}): OwnSignedEvent {
    const nowMs = Date.now();
    this.#lastSeq = Math.max(this.#lastSeq + 1, nowMs);
    const base = { peerId: this.key.peerId, seq: this.#lastSeq, time: Math.floor(nowMs / 1000) };
    return signEvent(this.key, this.#chainId, { ...body, ...base, ...over } as WrittenEvent);
  }
}

/** The same at each run, of both key types. */
export function authors(chainId: string, count: number): Author[] {
  return simulatedKeys(new Uint8Array(32).fill(7), count, 0.25).map((key) => new Author(chainId, key));
}

/** Submits over one connection to each validator, from a peer that is nobody's. Closed after the test. */
export class Submitters {
  readonly #network: TestNetwork;
  readonly #host: Promise<Host>;
  readonly #clients = new Map<string, Promise<SubmissionClient>>();

  constructor(network: TestNetwork) {
    this.#network = network;
    this.#host = stranger(network);
  }

  /** @throws CodedError when there is no answer */
  async submit(to: string, event: OwnSignedEvent): Promise<SubmissionAnswer> {
    const client = await this.#client(to);
    const [answer] = await client.submit([event.bytes]);
    if (answer === undefined) throw new Error('a batch of one has one answer');
    return answer;
  }

  /** Repeats the event until it is answered for good. @throws CodedError what it is refused with */
  async acknowledged(to: string, event: OwnSignedEvent): Promise<Acknowledgement> {
    const { event: of } = event;
    return eventually(`${to} acknowledges ${of.type} of ${of.peerId}`, async () => {
      const answer = await this.submit(to, event);
      if (answer.kind === 'acknowledged') return acknowledgement(to, event, answer.height);
      if (!NOT_SETTLED.has(answer.refusal.code)) throw new CodedError(answer.refusal);
      return undefined;
    });
  }

  #client(to: string): Promise<SubmissionClient> {
    const known = this.#clients.get(to);
    if (known !== undefined) return known;
    const opened = this.#open(to);
    this.#clients.set(to, opened);
    const forget = (): void => {
      if (this.#clients.get(to) === opened) this.#clients.delete(to);
    };
    opened.then((client) => client.closed.then(forget, forget), forget);
    return opened;
  }

  async #open(to: string): Promise<SubmissionClient> {
    return SubmissionClient.open(await this.#host, this.#network.target(to), { deadlineMs: OPEN_DEADLINE_MS });
  }
}

function acknowledgement(by: string, { event, id }: OwnSignedEvent, height: number | null): Acknowledgement {
  return { id, peerId: event.peerId, seq: event.seq, height, by, atMs: Date.now() };
}

export class Load {
  readonly authors: readonly Author[];
  /** In the order in which they were sent first. */
  readonly submissions: Submission[] = [];
  readonly acknowledged: Acknowledgement[] = [];
  /** Refusals that end an event; an honest load has none. */
  readonly refused: Refusal[] = [];
  readonly #network: TestNetwork;
  readonly #submitters: Submitters;
  readonly #workers: Promise<void>[];
  /** Whom to turn to; set it when validators go and come. */
  targets: readonly string[];
  #paused: PromiseWithResolvers<void> | null = null;
  #stopping = false;

  /** Starts at once. @param nodes how many submit at the same time */
  constructor(network: TestNetwork, nodes: number) {
    this.#network = network;
    this.#submitters = new Submitters(network);
    this.targets = network.names('validator');
    this.authors = simulatedKeys(new Uint8Array(32).fill(7), nodes, 0.25).map(
      (key) => new Author(network.chainId, key),
    );
    this.#workers = this.authors.map((author, index) => this.#work(author, index));
    onTestFinished(() => {
      this.#stopping = true;
      this.resume();
    });
  }

  /** Sends nothing from now on, neither new events nor repeated ones. */
  pause(): void {
    this.#paused ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = null;
  }

  /** Ends once every event under way is settled. */
  async finish(): Promise<void> {
    this.#stopping = true;
    this.resume();
    await Promise.all(this.#workers);
  }

  /** Height of the highest block that an acknowledgement named. */
  highestAcknowledged(): number {
    return this.acknowledged.reduce((highest, { height }) => Math.max(highest, height ?? 0), 0);
  }

  async #work(author: Author, index: number): Promise<void> {
    let turn = index;
    while (!this.#stopping) {
      const event = author.next();
      this.#remember(event);
      // An event that was sent is repeated to the end, whatever happens meanwhile.
      for (let settled = false; !settled; turn++) {
        await this.#paused?.promise;
        const to = this.targets[turn % this.targets.length];
        settled = to !== undefined && (await this.#attempt(to, event));
        if (settled) turn--;
        else await delay(RETRY_MS);
      }
    }
  }

  #remember({ id, event }: OwnSignedEvent): void {
    const { peerId, seq } = event;
    const version = 'version' in event ? event.version : null;
    this.submissions.push({ id, peerId, seq, version, sentMs: Date.now() });
  }

  /** @returns whether the event is settled */
  async #attempt(to: string, event: OwnSignedEvent): Promise<boolean> {
    const answered = this.#submitters.submit(to, event).then(
      (answer) => this.#answered(to, event, answer),
      (error: unknown) => {
        if (!(error instanceof CodedError) && this.#network.process(to).end === undefined) throw error;
        return false;
      },
    );
    return Promise.race([answered, delay(ANSWER_DEADLINE_MS, false, { ref: false })]);
  }

  #answered(to: string, event: OwnSignedEvent, answer: SubmissionAnswer): boolean {
    if (answer.kind === 'acknowledged') {
      this.acknowledged.push(acknowledgement(to, event, answer.height));
      return true;
    }
    if (NOT_SETTLED.has(answer.refusal.code)) return false;
    this.refused.push(answer.refusal);
    return true;
  }
}
