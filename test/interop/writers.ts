/**
 * Writers of a cluster under faults. Each has one command in flight and says of each what it knows: acknowledged with an
 * index, or unknown; a command that was certainly not written is sent again, one whose fate is unknown never.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import type { Peer } from './peer.ts';

export interface Acknowledged {
  readonly command: string;
  readonly index: number;
  /** Of the test's own process, milliseconds. */
  readonly sentMs: number;
  readonly knownMs: number;
}

const TRY_AGAIN_MS = 10;
/** A server that does not answer within this is asked no longer; the command's fate is unknown. */
const ANSWER_LIMIT_MS = 4_000;

export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** Commands that may be in the log or not. */
  readonly unknown: string[] = [];
  readonly #peers: readonly Peer[];
  readonly #commandOf: (name: string) => string;
  readonly #loops: readonly Promise<void>[];
  #isOver = false;

  /**
   * Starts at once.
   *
   * @param peers of which one leads
   * @param commandOf gives the command for a name that is used once
   */
  constructor(peers: readonly Peer[], count: number, commandOf = (name: string): string => name) {
    this.#peers = peers;
    this.#commandOf = commandOf;
    this.#loops = Array.from({ length: count }, (_, i) => this.#write(i));
  }

  /** Waits until so many more are acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count;
    await eventually(`${count} more commands are acknowledged`, () => this.acknowledged.length >= wanted || undefined);
  }

  /** Lets each writer learn what became of its last command. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  async #write(writer: number): Promise<void> {
    let asked = writer;
    for (let i = 0; !this.#isOver; i++) {
      const command = this.#commandOf(`writer ${writer} command ${i}`);
      for (let isSettled = false; !isSettled && !this.#isOver;) {
        const sentMs = performance.now();
        const outcome = await this.#peers[asked % this.#peers.length]!.admin.apply(command, ANSWER_LIMIT_MS);
        isSettled = outcome.kind !== 'refused';
        if (outcome.kind === 'applied') {
          this.acknowledged.push({ command, index: outcome.index, sentMs, knownMs: performance.now() });
        } else {
          if (outcome.kind === 'unknown') this.unknown.push(command);
          asked++;
          await delay(TRY_AGAIN_MS);
        }
      }
    }
  }
}

/** A command as it is in a log, or as a machine applied it. */
export interface Written {
  readonly index: number;
  readonly command: string;
}

/**
 * What is wrong with a log, given what writers know of it, one sentence each: everything acknowledged is there, once and
 * where it was said to be; what is unknown at most once; nothing else; and who was acknowledged before another was sent
 * is before it in the log.
 */
export function faultsOf(
  log: readonly Written[],
  { acknowledged, unknown }: Pick<Writers, 'acknowledged' | 'unknown'>,
): string[] {
  const places = new Map<string, number[]>();
  for (const { index, command } of log) places.set(command, [...(places.get(command) ?? []), index]);
  const faults: string[] = [];
  for (const { command, index } of acknowledged) {
    const at = places.get(command) ?? [];
    if (at.length !== 1 || at[0] !== index) {
      faults.push(`"${command}", acknowledged at ${index}, is at ${at.join(' and ') || 'no index'}`);
    }
    places.delete(command);
  }
  for (const command of unknown) {
    const at = places.get(command) ?? [];
    if (at.length > 1) faults.push(`"${command}" was sent once and is at ${at.join(' and ')}`);
    places.delete(command);
  }
  for (const [command, at] of places) faults.push(`"${command}" at ${at.join(' and ')} was sent by nobody`);
  return [...faults, ...orderFaults(acknowledged)];
}

function orderFaults(acknowledged: readonly Acknowledged[]): string[] {
  const bySending = acknowledged.toSorted((a, b) => a.sentMs - b.sentMs);
  const byKnowing = acknowledged.toSorted((a, b) => a.knownMs - b.knownMs);
  const faults: string[] = [];
  let known = 0;
  let greatest = 0;
  for (const { command, index, sentMs } of bySending) {
    for (
      let earlier = byKnowing[known];
      earlier !== undefined && earlier.knownMs < sentMs;
      earlier = byKnowing[known]
    ) {
      greatest = Math.max(greatest, earlier.index);
      known++;
    }
    if (index <= greatest) faults.push(`"${command}" at ${index} was sent when ${greatest} was acknowledged already`);
  }
  return faults;
}

/** More commands than any run writes. */
const ALL = 1_000_000;

/** What a recorder has recorded. */
export async function commandsOf(peer: Peer): Promise<readonly Written[]> {
  const { tail = [] } = await peer.admin.machine(ALL);
  return tail.map(({ index, data }) => ({ index, command: Buffer.from(data, 'hex').toString() }));
}
