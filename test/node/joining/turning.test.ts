import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ok, refuse, type Result } from '../../../src/base/result.ts';
import type { SnapshotOffer } from '../../../src/ledger/snapshot-offer.ts';
import { Turning, type TurningOptions } from '../../../src/node/joining/turning.ts';
import { ZERO_HASH } from '../../../src/base/hash.ts';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../directory.ts';
import { silentLog } from '../silent-log.ts';

const GONE = refuse('dial-failed', 'nobody is there');
const SNAPSHOT = { height: 900, stateRoot: ZERO_HASH, depth: 3, bytes: 1_000 };

function offers(...snapshots: SnapshotOffer['snapshots']): Result<SnapshotOffer> {
  return ok({ headHeight: 1_000, oldestBlock: 850, snapshots });
}

async function turning(options: Partial<TurningOptions> = {}, answers: readonly Result<SnapshotOffer>[] = []) {
  const dataDirectory = await temporaryDirectory();
  const seen = { turned: 0, asked: 0, isPruned: true };
  const made = new Turning(
    {
      config: { dataDirectory, join: { from: 'snapshot', waitSeconds: 1 } },
      client: {
        offer: ({ peerId }) => {
          seen.asked++;
          return Promise.resolve(answers[Number(peerId)] ?? GONE);
        },
      },
      servers: () => answers.map((_, index) => ({ peerId: String(index), multiaddrs: [] })),
      isPrunedAway: () => seen.isPruned,
      beganAlone: false,
      wasServed: false,
      stays: null,
      onBehind: () => seen.turned++,
      log: silentLog,
      ...options,
    },
    0,
  );
  onTestFinished(() => made.stop());
  return { turning: made, seen, dataDirectory };
}

describe('a node whose next blocks are pruned', () => {
  it('turns to a snapshot, once, unless somebody gives it a block in the meantime', async () => {
    const other = await turning();
    other.seen.isPruned = false;
    other.turning.prunedAway();
    const one = await turning();
    one.turning.prunedAway();
    await eventually('it turned', () => one.seen.turned > 0 || undefined);
    one.turning.prunedAway();
    expect([one.seen.turned, other.seen.turned, one.turning.refusal]).toEqual([1, 0, null]);
  });

  it('says why its ledger stayed the last time, and tries again', async () => {
    const stays = refuse('voted-after-snapshot', 'it voted').refusal;
    const { seen, turning: again } = await turning({ stays });
    expect(again.refusal).toBe(stays);
    again.prunedAway();
    await eventually('it turned', () => seen.turned > 0 || undefined);
  });

  it('does not where it is to have every block, or an older ledger is still set aside', async () => {
    const archive = await turning();
    const config = { dataDirectory: archive.dataDirectory, join: { from: 'genesis', waitSeconds: 1 } } as const;
    const stays = (await turning({ config })).turning;
    stays.prunedAway();
    expect(await eventually('it says why', () => stays.refusal?.code)).toBe('join-not-wanted');
    const deaf = await turning({ onBehind: undefined });
    deaf.turning.prunedAway();
    expect(await eventually('it says why', () => deaf.turning.refusal?.code)).toBe('join-not-wanted');
    const again = await turning();
    await mkdir(join(again.dataDirectory, 'ledger-until-12'));
    again.turning.prunedAway();
    expect(await eventually('it says why', () => again.turning.refusal?.code)).toBe('ledger-set-aside');
    expect(again.seen.turned).toBe(0);
  });
});

describe('a node that began at genesis, as nobody answered', () => {
  it('asks who has a snapshot before it takes its first block, and turns to it', async () => {
    const { seen, turning: alone } = await turning({ beganAlone: true }, [GONE, offers(), offers(SNAPSHOT)]);
    expect(await alone.mayFetch(1)).toBe(false);
    expect(await alone.mayFetch(1)).toBe(false);
    expect([seen.turned, seen.asked]).toEqual([1, 3]);
  });

  it('takes blocks where nobody has one, and asks again only where nobody answered', async () => {
    const none = await turning({ beganAlone: true }, [offers()]);
    expect([await none.turning.mayFetch(1), await none.turning.mayFetch(1), none.seen.asked]).toEqual([true, true, 1]);
    const silent = await turning({ beganAlone: true }, [GONE]);
    expect([await silent.turning.mayFetch(1), await silent.turning.mayFetch(1), silent.seen.asked]).toEqual([
      true,
      true,
      2,
    ]);
    expect(silent.seen.turned).toBe(0);
  });

  it('takes blocks where it has some, or did not begin alone', async () => {
    const begun = await turning({ beganAlone: true }, [offers(SNAPSHOT)]);
    expect([await begun.turning.mayFetch(2), begun.seen.asked]).toEqual([true, 0]);
    const other = await turning({}, [offers(SNAPSHOT)]);
    expect([await other.turning.mayFetch(1), other.seen.asked]).toEqual([true, 0]);
  });
});
