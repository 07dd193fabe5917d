/**
 * Clients of a Raft cluster: each writes a value of its own, or reads, thinks, and begins again. What they were told and
 * when goes to the checkers; nobody knows what became of what nobody answered.
 */
import type { Refusal } from '../../../src/base/result.ts';
import { fractionOf } from '../dice.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Tally } from '../tally.ts';
import type { RaftCheckers } from './checkers.ts';
import { NOTHING_WRITTEN } from './checkers/linearizability.ts';
import { CERTAIN_REFUSALS } from './checkers/outcomes.ts';
import { commandOf } from './registers.ts';
import type { RaftLife, SimulatedServer } from './simulated-server.ts';

export interface ClientsOptions {
  readonly scheduler: Scheduler;
  readonly seed: number;
  readonly tally: Tally;
  readonly checkers: RaftCheckers;
  readonly nodes: readonly SimulatedServer[];
  readonly clients: number;
  readonly keys: number;
  readonly note: (text: string) => void;
}

interface Client {
  readonly id: number;
  /** Of the machine that it asks next. */
  asks: number;
  begun: number;
}

/** One thing that a client does. */
interface Turn {
  readonly client: Client;
  /** Of all turns of this client. */
  readonly number: number;
}

/** After so long without an answer a client goes on with something else. */
const PATIENCE_MS = 4_000;
/** Nobody leads, or nobody answers: a client tries again after this, or twice the time for which it thinks. */
const RETRY_MS = 50;
/** Of what a client does: those with even numbers write most of the time, the others read. */
const READS = [0.2, 0.9] as const;
/** Of what a client does at once, the most. */
const MOST_AT_ONCE = 8;

export class Clients {
  /** Infinite: nobody begins anything. */
  thinkMs = 50;
  /** Writes that were acknowledged, and reads that were answered. */
  written = 0;
  read = 0;
  readonly #options: ClientsOptions;
  readonly #clients: readonly Client[];
  /** By what they ask: what to do when its process ends. */
  readonly #waiting = new Map<RaftLife, Set<() => void>>();

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.clients }, (_, id) => ({ id, asks: 0, begun: 0 }));
  }

  get #retryMs(): number {
    return Math.min(RETRY_MS, 2 * this.thinkMs);
  }

  start(): void {
    for (const client of this.#clients) this.#later(client, 0);
  }

  /** Whoever waits for its answer waits no longer. */
  stopped(life: RaftLife): void {
    for (const giveUp of this.#waiting.get(life) ?? []) giveUp();
    this.#waiting.delete(life);
  }

  /** Those that mostly write turn to the one machine, those that mostly read to the other. */
  part(writers: number, readers: number): void {
    for (const client of this.#clients) client.asks = isWriter(client) ? writers : readers;
  }

  #later(client: Client, afterMs: number): void {
    this.#options.scheduler.after(afterMs, null, () => this.#next(client));
  }

  #next(client: Client): void {
    if (this.thinkMs === Infinity) return this.#later(client, RETRY_MS * 5);
    const { nodes, scheduler } = this.#options;
    const { life } = nodes[client.asks]!;
    const turn: Turn = { client, number: client.begun++ };
    if (life?.server === null || life === null) {
      client.asks = (client.asks + 1) % nodes.length;
      return this.#later(client, this.#retryMs);
    }
    const atOnce = 1 + Math.floor(this.#chance(turn, 1) ** 4 * MOST_AT_ONCE);
    let left = atOnce;
    let isOver = false;
    const goOn = (afterMs: number) => {
      if (isOver || (--left > 0 && afterMs < PATIENCE_MS)) return;
      isOver = true;
      this.#later(client, afterMs === PATIENCE_MS ? 0 : afterMs);
    };
    scheduler.after(0, life, () => {
      for (let i = 0; i < atOnce && !life.ended; i++) this.#begin(turn, life, i, goOn);
    });
    scheduler.after(PATIENCE_MS, null, () => goOn(PATIENCE_MS));
  }

  #begin(turn: Turn, life: RaftLife, place: number, goOn: (afterMs: number) => void): void {
    const { client, number } = turn;
    const key = `k${Math.floor(this.#chance(turn, 2, place) * this.#options.keys)}`;
    let isOpen = true;
    const close = (): boolean => {
      if (!isOpen) return false;
      isOpen = false;
      this.#waitingAt(life).delete(giveUp);
      return true;
    };
    const giveUp = () => {
      if (close()) goOn(this.#retryMs);
    };
    this.#waitingAt(life).add(giveUp);
    const refused = (refusal: Refusal) => {
      this.#options.tally.count(`client: ${refusal.code}`);
      this.#turnTo(client, refusal);
      goOn(this.#retryMs);
    };
    if (this.#chance(turn, 3, place) < READS[isWriter(client) ? 0 : 1]) this.#read(life, key, { close, refused, goOn });
    else this.#write(life, key, `c${client.id}.${number}.${place}`, { close, refused, goOn });
  }

  #write(life: RaftLife, key: string, value: string, { close, refused, goOn }: Ending): void {
    const { checkers, note } = this.#options;
    const what = `${key}=${value}`;
    checkers.linearizability.writeBegins(key, value);
    life.server?.proposeWith(commandOf(key, value), (outcome) => {
      if (!close()) return;
      if (outcome.ok) {
        note(`${life.node.id} acknowledges ${what} at ${outcome.value.index}`);
        checkers.outcomes.acknowledged(what, outcome.value.index);
        checkers.linearizability.written(key, value);
        this.written++;
        return goOn(this.thinkMs);
      }
      const { code } = outcome.refusal;
      if (CERTAIN_REFUSALS.has(code)) {
        checkers.outcomes.refused(what, code);
        checkers.linearizability.refused(key, value);
      }
      refused(outcome.refusal);
    });
  }

  #read(life: RaftLife, key: string, { close, refused, goOn }: Ending): void {
    const { checkers } = this.#options;
    const began = checkers.linearizability.now();
    void life.server?.readIndex().then((outcome) => {
      if (life.ended || !close()) return;
      if (!outcome.ok) return refused(outcome.refusal);
      checkers.linearizability.read(key, life.registers?.get(key) ?? NOTHING_WRITTEN, began);
      this.read++;
      goOn(this.thinkMs);
    });
  }

  /** To the leader that the refusal names, if it does; else to the next one. */
  #turnTo(client: Client, { details }: Refusal): void {
    const { nodes } = this.#options;
    const leader = nodes.findIndex(({ serverId }) => serverId === details['leader']);
    client.asks = leader >= 0 ? leader : (client.asks + 1) % nodes.length;
  }

  #waitingAt(life: RaftLife): Set<() => void> {
    let waiting = this.#waiting.get(life);
    if (waiting === undefined) this.#waiting.set(life, (waiting = new Set()));
    return waiting;
  }

  #chance({ client, number }: Turn, use: number, place = 0): number {
    return fractionOf(this.#options.seed, 500 + use, client.id, number, place);
  }
}

function isWriter({ id }: Client): boolean {
  return id % 2 === 0;
}

interface Ending {
  /** @returns whether it was open */
  readonly close: () => boolean;
  readonly refused: (refusal: Refusal) => void;
  readonly goOn: (afterMs: number) => void;
}
