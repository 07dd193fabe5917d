import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { formatGenesis } from '../../../src/ledger/genesis.ts';
import { nodeKey } from '../../../src/ledger/state.ts';
import { PastThread } from '../../../src/node/projections/past-thread.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { followingLedger } from '../opened.ts';

const KEY = nodeKey(peerOf(1));

async function pastOfThreeBlocks(): Promise<PastThread> {
  const chain = new SealedChain();
  const { commit, directory, ledger } = await followingLedger(chain);
  for (let node = 1; node <= 3; node++) await commit([chain.join(node)]);
  const genesisFile = join(directory, 'genesis.json');
  await writeFile(genesisFile, formatGenesis(chain.genesis));
  const past = new PastThread({ dataDirectory: directory, genesisFile, identity: ledger.log.identity });
  onTestFinished(() => past.close());
  return past;
}

describe('a past thread that is reset while it loads', () => {
  test('leaves no question without an end, and whoever closes it waits as well', async () => {
    const past = await pastOfThreeBlocks();
    const ended: string[] = [];
    const asked = [1, 2].map((height) =>
      past.answer(height, KEY).then(
        () => ended.push('answered'),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'worker-died' });
          ended.push('failed');
        },
      ),
    );
    const reset = past.reset();
    const asking = past.answer(1, KEY);
    await past.close();
    expect(await asking, 'it is closed by then').toMatchObject({ ok: false, refusal: { code: 'busy' } });
    expect(ended).toHaveLength(2);
    await Promise.all([...asked, reset]);
    expect(await past.answer(1, KEY)).toMatchObject({ ok: false, refusal: { code: 'busy' } });
  });

  test('answers anew after that', async () => {
    const past = await pastOfThreeBlocks();
    const first = past.answer(1, KEY).catch((error: unknown) => error);
    const reset = past.reset();
    expect((await past.answer(2, KEY)).ok, 'asked while it ends').toBe(true);
    await Promise.all([first, reset]);
    await past.reset();
    expect((await past.answer(3, KEY)).ok).toBe(true);
  });
});
