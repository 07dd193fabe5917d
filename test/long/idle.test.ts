/** A network that has nothing to agree on does nothing, and is awake at once when there is something. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { needs } from '../needs.ts';
import { seenBallots } from '../e2e/ballots.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { authors, Submitters, type Author } from '../e2e/load.ts';

const WINDOW_MS = 3_000;
/** Of one processor, for each process. */
const IDLE_SHARE_MAX = 0.05;
/** So long that a round which needs it stands out from any slowness of the machine. */
const BASE_TIMEOUT_MS = 20_000;
const TICKS_PER_SECOND = 100;
const SLACK = 25;

test('an idle network writes no blocks and rests, and what comes then commits as fast as ever', async () => {
  const settings = { log: { level: 'trace' as const }, pacemaker: { baseTimeoutMs: BASE_TIMEOUT_MS } };
  const network = await TestNetwork.start({ settings });
  const [to = ''] = network.names();
  const [author] = authors(network.chainId, 1) as [Author];
  const submitters = new Submitters(network);
  const timed = async (): Promise<{ readonly ms: number; readonly rounds: number }> => {
    const { round } = await network.status(to);
    const event = author.next();
    const sentMs = performance.now();
    expect(await submitters.submit(to, event)).toMatchObject({ kind: 'acknowledged' });
    const ms = performance.now() - sentMs;
    const idle = await eventually('it is idle again', async () => {
      const status = await network.status(to);
      return status.idle ? status : undefined;
    });
    return { ms, rounds: idle.round - round };
  };
  await submitters.acknowledged(to, author.next());

  const rested = await network.level(network.names(), 1);
  const rounds = await roundsOf(network);
  if (needs('processor times in /proc', existsSync('/proc/self/stat'))) await toRest(network);
  else await delay(WINDOW_MS);
  expect(await network.level(network.names())).toEqual(rested);
  expect(await roundsOf(network)).toEqual(rounds);

  const first = await timed();
  const later = [await timed(), await timed(), await timed(), await timed(), await timed()];
  expect(later.map(({ rounds }) => rounds)).toEqual(later.map(() => first.rounds));
  expect(first.ms).toBeLessThan(SLACK * Math.max(...later.map(({ ms }) => ms)));
  const timeouts = seenBallots(network).filter(({ ballot }) => ballot === 'timeout');
  expect(timeouts).toEqual([]);
});

async function roundsOf(network: TestNetwork): Promise<number[]> {
  const statuses = await Promise.all(network.names('validator').map((name) => network.status(name)));
  return statuses.map(({ round }) => round);
}

/** Resolves after a window in which no process used more than its share; what a start leaves to do may end before. */
async function toRest(network: TestNetwork): Promise<void> {
  const pids = network.names().map((name) => network.process(name).pid ?? 0);
  await eventually(`no process uses more than ${IDLE_SHARE_MAX} of a processor`, async () => {
    const before = pids.map(cpuSeconds);
    await delay(WINDOW_MS);
    const shares = pids.map((pid, index) => (cpuSeconds(pid) - (before[index] ?? 0)) / (WINDOW_MS / 1000));
    return shares.every((share) => share <= IDLE_SHARE_MAX) || undefined;
  });
}

/** User and system time of a process so far; proc(5), `stat`, fields 14 and 15. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
