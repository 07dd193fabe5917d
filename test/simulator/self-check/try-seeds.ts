/**
 * Seeds 1 to N of one network, until one fails: run by `main.ts` in a copy whose sources are broken.
 *
 *     node test/simulator/self-check/try-seeds.ts hotstuff VALIDATORS ROUNDS SEEDS
 *     node test/simulator/self-check/try-seeds.ts raft SERVERS ENTRIES SEEDS
 *
 * Exits with 1 after the first line of what did not hold, or of what the program threw.
 */
import { describeViolation } from '../checkers/violation.ts';
import { playHotstuff } from '../playing-hotstuff.ts';
import { playRaft } from '../raft/playing.ts';

const [engine, ...numbers] = process.argv.slice(2);
const [nodes = 4, steps = 300, seeds = 1] = numbers.map(Number);
const playing =
  engine === 'raft'
    ? playRaft({ entries: steps, servers: nodes })
    : playHotstuff({ rounds: steps, validators: nodes, commitDepth: 2 });

for (let seed = 1; seed <= seeds && process.exitCode === undefined; seed++) {
  try {
    const { violation } = await playing.playSeed(seed);
    if (violation !== null) found(seed, describeViolation(violation));
  } catch (error) {
    found(seed, String(error));
  }
}

function found(seed: number, what: string): void {
  console.log(`seed ${seed}: ${what.split('\n')[0] ?? ''}`);
  process.exitCode = 1;
}
