/**
 * One server as a process of its own, Go's or ours: started, killed and started again on the same ports and the same
 * directory. It ends with the process that started it, however that dies.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Admin } from './admin.ts';

const READY_LIMIT_MS = 20_000;
const LOOK_AGAIN_MS = 20;

export interface PeerPlace {
  readonly id: string;
  /** `host:port` of its Raft transport. */
  readonly address: string;
  readonly adminPort: number;
  /** Of this server alone; there is nothing in it before the first start. */
  readonly directory: string;
}

/** A command line for a server in its place, which ends when its standard input does. */
export type Launch = (place: PeerPlace, flags: readonly string[]) => readonly [string, ...string[]];

export class Peer {
  readonly id: string;
  readonly address: string;
  readonly directory: string;
  readonly admin: Admin;
  readonly #place: PeerPlace;
  readonly #launch: Launch;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(place: PeerPlace, launch: Launch) {
    this.id = place.id;
    this.address = place.address;
    this.directory = place.directory;
    this.admin = new Admin(place.adminPort);
    this.#place = place;
    this.#launch = launch;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /**
   * Starts it and waits until it answers.
   *
   * @param flags of this start alone
   */
  async start(flags: readonly string[] = []): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.id} runs already`);
    mkdirSync(this.directory, { recursive: true });
    const [command, ...args] = this.#launch(this.#place, flags);
    const log = openSync(this.#logFile, 'a');
    const child = spawn(command, args, { stdio: ['pipe', log, log] });
    closeSync(log);
    child.stdin?.on('error', () => {
      // The server has gone; its log says why.
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      const gone = (): void => {
        this.#child = undefined;
        resolve();
      };
      child.once('exit', gone).once('error', gone);
    });
    const giveUpAtMs = Date.now() + READY_LIMIT_MS;
    while (this.isRunning && Date.now() < giveUpAtMs) {
      if (await this.#answers()) return;
      await delay(LOOK_AGAIN_MS);
    }
    await this.kill();
    throw new Error(`${this.id} did not start:\n${this.lastLogLines(20)}`);
  }

  /** Ends it at once, as `kill -9` does, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** `SIGSTOP` leaves it with its connections open and silent, until `SIGCONT`. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** What it wrote to standard output and error, over all its lives. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  lastLogLines(count: number): string {
    return this.log().trimEnd().split('\n').slice(-count).join('\n');
  }

  get #logFile(): string {
    return join(this.directory, 'peer.log');
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.admin.status()).id === this.id;
    } catch (error) {
      if ((error as { code?: string }).code !== 'node-not-running') throw error;
      return false;
    }
  }
}
