/** A node as a process: log, control socket, address file, signals, and an orderly end whatever the reason. */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../base/result.ts';
import { createLog, flushLog, type Logger } from '../observability/log.ts';
import { startControl } from './control.ts';
import type { NodeConfig } from './config.ts';
import type { JoinReport } from './joining/join-report.ts';
import { startRaftNode } from './raft/raft-node.ts';
import { signatureWarning } from './signature-native.ts';
import { startNode, type StartOptions } from './start.ts';
import type { RunningNode } from './status.ts';

/** A stop that takes longer than this is cut short: what was acknowledged is durable already. */
const STOP_DEADLINE_MS = 10_000;
/** What is still open after the stop, such as a connection that nobody waits for, keeps the process no longer. */
const LINGER_MS = 1_000;
const FLUSH_DEADLINE_MS = 3_000;
/** How often the progress of a join is told. */
const TELL_EVERY_MS = 250;

/** The node stops to begin again with a snapshot. */
const BEHIND = 'the blocks behind its ledger are pruned';

export interface RunOptions {
  /** Stop when standard input ends, so that no node outlives the program that started it. */
  readonly untilInputEnds: boolean;
  /** Told from time to time how far a node is that joins, and null once that is over. */
  readonly onJoining?: ((report: JoinReport | null) => void) | undefined;
}

/** Settles after a stop that was asked for. @throws the reason when the node fails to start or stops by itself */
export async function runNode(config: NodeConfig, options: RunOptions): Promise<void> {
  const log = createLog(config.log);
  const asked = stopRequests(options);
  if (signatureWarning !== null) log.warn(signatureWarning);
  try {
    for (let isBehind = false; ;) {
      const behind = Promise.withResolvers<typeof BEHIND>();
      const node = await started(config, log, {
        signal: asked.signal,
        onJoining: (joining) => answerWhile(joining, config, asked, options),
        isBehind,
        onBehind: () => behind.resolve(BEHIND),
      });
      isBehind = (await serve(node, config, asked, behind.promise, log)) === BEHIND;
      if (!isBehind) break;
    }
    log.info('stopped');
  } catch (error) {
    if (error instanceof CodedError && error.code === 'join-stopped') {
      log.info('stopped while it joined; the next start goes on with what was fetched');
      return;
    }
    log.fatal({ err: error }, 'the node stops');
    throw error;
  } finally {
    // An open input would keep the process alive.
    if (options.untilInputEnds) process.stdin.destroy();
    // It waits for the disk, which may hang.
    await Promise.race([flushLog(log), sleep(FLUSH_DEADLINE_MS, undefined, { ref: false })]);
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

function started(config: NodeConfig, log: Logger, options: StartOptions): Promise<RunningNode> {
  const { raft } = config;
  return raft === undefined ? startNode(config, log, options) : startRaftNode({ ...config, raft }, log);
}

/** A node that joins answers on its control socket already. @returns what ends that */
async function answerWhile(
  joining: RunningNode,
  config: NodeConfig,
  asked: StopRequests,
  { onJoining }: RunOptions,
): Promise<() => Promise<void>> {
  const stop = (): void => asked.ask('control socket');
  const closeControl = await startControl({ socket: config.controlSocket, node: joining, stop });
  const tell = (): void => onJoining?.(joining.status().joining ?? null);
  const telling = setInterval(tell, TELL_EVERY_MS);
  return async () => {
    clearInterval(telling);
    onJoining?.(null);
    await closeControl();
  };
}

/** @returns why it stopped */
async function serve(
  node: RunningNode,
  config: NodeConfig,
  asked: StopRequests,
  behind: Promise<typeof BEHIND>,
  log: Logger,
): Promise<string> {
  const closeControl = await startControl({
    socket: config.controlSocket,
    node,
    stop: () => {
      asked.ask('control socket');
    },
  });
  let isOver = true;
  log.info({ peerId: node.status().peerId, listen: node.listenAddrs, role: config.role }, 'started');
  try {
    const reason = await Promise.race([asked.first, node.failed, behind]);
    log.info({ reason }, 'stopping');
    isOver = reason !== BEHIND;
    return reason;
  } finally {
    await closeControl();
    await rm(config.addressFile, { force: true });
    // One that goes on in this process needs its store closed, however long that takes.
    await (isOver ? withDeadline(node.stop(), STOP_DEADLINE_MS) : node.stop());
  }
}

interface StopRequests {
  /** Settles with the first reason. */
  readonly first: Promise<string>;
  /** Aborted with it. */
  readonly signal: AbortSignal;
  ask(reason: string): void;
}

/** Asked twice: the first time takes too long for whoever asks. By the signal, as `process.exit` would terminate threads. */
function endAtOnce(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function stopRequests({ untilInputEnds }: Pick<RunOptions, 'untilInputEnds'>): StopRequests {
  const { promise, resolve } = Promise.withResolvers<string>();
  const controller = new AbortController();
  let asked = false;
  const ask = (reason: string): void => {
    asked = true;
    resolve(reason);
    controller.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (asked) endAtOnce(signal);
      ask(signal);
    });
  }
  if (untilInputEnds) {
    process.stdin.resume();
    process.stdin.once('end', () => {
      ask('standard input ended');
    });
    process.stdin.once('error', () => {
      ask('standard input ended');
    });
  }
  return { first: promise, signal: controller.signal, ask };
}

async function withDeadline(work: Promise<void>, deadlineMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, deadlineMs);
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
