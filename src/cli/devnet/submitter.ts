/**
 * How simulated nodes reach the validators: some over a connection of their own, as real nodes do, with the JSON form;
 * the others through one relay that carries their signed events in batches of the binary form. A validator that does
 * not answer is left for the next one.
 */
import { CodedError, type Refusal } from '../../base/result.ts';
import { createHost, type Host, type PeerTarget } from '../../net/host.ts';
import { submitJson, SubmissionClient } from '../../net/submission-client.ts';
import type { SubmissionAnswer } from '../../net/submission-wire.ts';
import { generateIdentityKey, type IdentityKey } from '../../node/keys.ts';
import type { OwnSignedEvent } from '../../node/sign-event.ts';
import type { Outcome } from './settle.ts';

/** A libp2p host each: more direct nodes than this share the relay. */
const DIRECT_NODES_MAX = 16;
const ANSWER_DEADLINE_MS = 15_000;

export interface SubmitterOptions {
  readonly chainId: string;
  readonly keys: readonly IdentityKey[];
  /** Share of the nodes, 0 to 1, that submit over connections of their own. */
  readonly direct: number;
  /** Where each validator is now; undefined while it is down. */
  readonly validators: readonly (() => PeerTarget | undefined)[];
}

/** An event in its two forms. */
type Submittable = Pick<OwnSignedEvent, 'bytes' | 'submission'>;

/** Events for one validator that leave in the same batch. */
interface Batch {
  readonly events: Submittable[];
  readonly answers: Promise<readonly SubmissionAnswer[]>;
}

export class Submitter {
  readonly #options: SubmitterOptions;
  readonly #directNodes: number;
  /** Of direct nodes, made when first needed. */
  readonly #hosts = new Map<number, Promise<Host>>();
  #relay: Promise<Host> | undefined;
  readonly #clients = new Map<number, Promise<SubmissionClient>>();
  readonly #batches = new Map<number, Batch>();
  /** Added to a node's number for the validator it turns to: grows when one does not answer. */
  readonly #turned = new Map<number, number>();

  constructor(options: SubmitterOptions) {
    this.#options = options;
    this.#directNodes = Math.min(DIRECT_NODES_MAX, Math.round(options.direct * options.keys.length));
  }

  /** Never rejects. */
  readonly submit = (node: number, event: Submittable): Promise<Outcome> =>
    this.#attempt(node, event, node < this.#directNodes);

  /** The same through the relay, whoever the node is. */
  readonly relayed = (node: number, event: Submittable): Promise<Outcome> => this.#attempt(node, event, false);

  async close(): Promise<void> {
    const hosts = await Promise.allSettled([...this.#hosts.values(), ...(this.#relay ? [this.#relay] : [])]);
    await Promise.allSettled(hosts.flatMap((host) => (host.status === 'fulfilled' ? [host.value.stop()] : [])));
  }

  async #attempt(node: number, event: Submittable, direct: boolean): Promise<Outcome> {
    const { validators } = this.#options;
    const validator = (node + (this.#turned.get(node) ?? 0)) % validators.length;
    const target = validators[validator]?.();
    try {
      if (target === undefined) return this.#turnedAway(node, 'the validator is down');
      const outcome = direct ? await this.#direct(node, event, target) : await this.#batched(validator, event);
      // The answer does not say who leads a Raft cluster: the next one is asked.
      if (outcome.kind === 'refused' && outcome.refusal.code === 'not-leader') this.#turnAway(node);
      return outcome;
    } catch (error) {
      return this.#turnedAway(node, error instanceof Error ? error.message : String(error));
    }
  }

  #turnedAway(node: number, reason: string): Outcome {
    this.#turnAway(node);
    return { kind: 'unanswered', reason };
  }

  #turnAway(node: number): void {
    this.#turned.set(node, (this.#turned.get(node) ?? 0) + 1);
  }

  async #direct(node: number, event: Submittable, target: PeerTarget): Promise<Outcome> {
    let host = this.#hosts.get(node);
    if (host === undefined) {
      host = this.#hostOf(this.#options.keys[node] as IdentityKey);
      this.#hosts.set(node, host);
    }
    const answer = await submitJson(await host, target, event.submission, { deadlineMs: ANSWER_DEADLINE_MS });
    return answer.ok ? { kind: 'acknowledged' } : refusedBy(answer.refusal);
  }

  async #batched(validator: number, event: Submittable): Promise<Outcome> {
    const batch = this.#batches.get(validator) ?? this.#newBatch(validator);
    const position = batch.events.push(event) - 1;
    const answer = (await batch.answers)[position];
    if (answer === undefined) return { kind: 'unanswered', reason: 'the batch has fewer answers' };
    return answer.kind === 'acknowledged' ? { kind: 'acknowledged' } : refusedBy(answer.refusal);
  }

  /** What is submitted in one turn of the event loop leaves together. */
  #newBatch(validator: number): Batch {
    const events: Submittable[] = [];
    const answers = new Promise<readonly SubmissionAnswer[]>((resolve, reject) => {
      setImmediate(() => {
        this.#batches.delete(validator);
        this.#send(validator, events).then(resolve, reject);
      });
    });
    const batch = { events, answers };
    this.#batches.set(validator, batch);
    return batch;
  }

  async #send(validator: number, events: readonly Submittable[]): Promise<readonly SubmissionAnswer[]> {
    const client = await this.#client(validator);
    return client.submit(events.map(({ bytes }) => bytes));
  }

  #client(validator: number): Promise<SubmissionClient> {
    const known = this.#clients.get(validator);
    if (known !== undefined) return known;
    const opened = this.#openClient(validator);
    this.#clients.set(validator, opened);
    const forget = (): void => {
      if (this.#clients.get(validator) === opened) this.#clients.delete(validator);
    };
    opened.then((client) => client.closed.then(forget, forget), forget);
    return opened;
  }

  async #openClient(validator: number): Promise<SubmissionClient> {
    const target = this.#options.validators[validator]?.();
    if (target === undefined) {
      throw new CodedError({ code: 'dial-failed', message: 'the validator is down', details: { validator } });
    }
    this.#relay ??= this.#hostOf(generateIdentityKey('ed25519'));
    return SubmissionClient.open(await this.#relay, target, { deadlineMs: ANSWER_DEADLINE_MS });
  }

  #hostOf(key: IdentityKey): Promise<Host> {
    return createHost({
      identity: key.protobuf,
      listen: [],
      chainId: this.#options.chainId,
    });
  }
}

function refusedBy(refusal: Refusal): Outcome {
  return { kind: 'refused', refusal };
}
