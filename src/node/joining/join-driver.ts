/** Performs what the joining machine decides: asks servers, writes what holds, keeps the time, and tells how far it is. */
import { CodedError, codedError, type Result } from '../../base/result.ts';
import type { JoinEffect, JoinInput, JoinOutcome, JoinStatus, KeptSnapshot } from '../../consensus/join-contract.ts';
import type { SnapshotChecks } from '../../consensus/join-contract.ts';
import { Joining } from '../../consensus/joining.ts';
import type { SnapshotClient } from '../../net/snapshot-sync.ts';
import type { PeerTarget } from '../../net/host.ts';
import type { Logger } from '../../observability/log.ts';
import { asked } from '../asked.ts';
import type { JoinStaging } from './join-staging.ts';

export interface JoinDriverOptions {
  readonly client: SnapshotClient;
  readonly checks: SnapshotChecks;
  readonly staging: Pick<JoinStaging, 'begin' | 'keep'>;
  readonly started: KeptSnapshot | null;
  /** Peers that are known now: looked at again and again, as nodes of one machine come and go with their address files. */
  readonly servers: () => readonly string[];
  readonly target: (peerId: string) => PeerTarget;
  readonly patienceMs: number;
  readonly ownHeight: number | null;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Aborted, it ends with `join-stopped`, and what was kept stays. */
  readonly signal: AbortSignal;
}

const TICK_MS = 100;
const LOG_EVERY_MS = 2_000;

export class JoinDriver {
  readonly #options: JoinDriverOptions;
  readonly #joining: Joining;
  readonly #ended = Promise.withResolvers<JoinOutcome>();
  /** Writes follow each other. */
  #disk: Promise<void> = Promise.resolve();
  #isOver = false;
  #loggedMs = 0;

  constructor(options: JoinDriverOptions) {
    this.#options = options;
    this.#joining = new Joining(options);
  }

  status(): JoinStatus {
    return this.#joining.status();
  }

  /** @throws CodedError `join-stopped`, `join-write-failed` */
  async run(): Promise<JoinOutcome> {
    const { servers, signal } = this.#options;
    const stop = (): void => this.#fail(codedError('join-stopped', 'the node was stopped while it joined'));
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    const tick = setInterval(() => this.#step({ kind: 'known', servers: servers() }), TICK_MS);
    this.#step({ kind: 'known', servers: servers() });
    try {
      return await this.#ended.promise;
    } finally {
      this.#isOver = true;
      clearInterval(tick);
      signal.removeEventListener('abort', stop);
      await this.#disk;
    }
  }

  #step(input: JoinInput): void {
    if (this.#isOver) return;
    for (const effect of this.#joining.step(input, this.#options.nowMs())) this.#perform(effect);
    this.#logNowAndThen();
  }

  #perform(effect: JoinEffect): void {
    const { log, staging } = this.#options;
    switch (effect.kind) {
      case 'ask':
        void this.#ask(effect).then((input) => this.#step(input), this.#fail);
        return;
      case 'begin': {
        const { height } = effect.of;
        log.info({ height, chunks: 2 ** effect.of.depth }, 'joins from a snapshot');
        return this.#write(() => staging.begin(effect.of, effect.manifest));
      }
      case 'keep':
        return this.#write(async () => {
          await staging.keep(effect.of, effect.index, effect.bytes);
          this.#step({ kind: 'kept', of: effect.of, index: effect.index });
        });
      case 'dropped':
        log.warn({ server: effect.server, refusal: effect.refusal }, 'a snapshot server sent what is false: dropped');
        return;
      case 'failed': {
        const { refusal, server, what } = effect;
        log.debug({ server, asked: what.kind, refusal }, 'a snapshot server did not answer');
        return;
      }
      case 'end':
        return this.#ended.resolve(effect.outcome);
    }
  }

  async #ask({ deadlineMs, request, server, what }: Extract<JoinEffect, { kind: 'ask' }>): Promise<JoinInput> {
    const { client, target } = this.#options;
    const from = target(server);
    const failed = ({ refusal }: Extract<Result<never>, { ok: false }>): JoinInput => ({
      kind: 'failed',
      request,
      refusal,
    });
    if (what.kind === 'offer') {
      const offer = await asked(client.offer(from, { deadlineMs }));
      return offer.ok ? { kind: 'offered', request, offer: offer.value } : failed(offer);
    }
    const { of } = what;
    const bytes = await asked(
      what.kind === 'manifest'
        ? client.manifest(from, of, { deadlineMs })
        : client.chunk(from, of, what.index, { deadlineMs }),
    );
    return bytes.ok ? { kind: 'answered', request, bytes: bytes.value } : failed(bytes);
  }

  #write(write: () => Promise<void>): void {
    this.#disk = this.#disk.then(async () => {
      // What an end leaves unwritten is fetched again.
      if (!this.#isOver) await write().catch(this.#fail);
    });
  }

  readonly #fail = (error: unknown): void => {
    this.#isOver = true;
    this.#ended.reject(error instanceof CodedError ? error : (error as Error));
  };

  #logNowAndThen(): void {
    const { log, nowMs } = this.#options;
    if (nowMs() < this.#loggedMs + LOG_EVERY_MS && nowMs() >= this.#loggedMs) return;
    this.#loggedMs = nowMs();
    const { servers, ...status } = this.#joining.status();
    const dropped = servers.filter(({ droppedBecause }) => droppedBecause !== null).length;
    log.info({ ...status, servers: servers.length, dropped }, 'joining');
  }
}
