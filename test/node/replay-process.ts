/** A replay in a process of its own, which tells each batch that is in its place: `node replay-process.ts <configuration>`. */
import { loadConfig } from '../../src/node/config.ts';
import { replayOf } from './replaying.ts';

const [file = ''] = process.argv.slice(2);
const { config } = await loadConfig({ file, environment: {}, flags: {}, directory: process.cwd() });
await replayOf(config, {
  verifySeals: false,
  compare: false,
  onProgress: ({ height }) => void process.stdout.write(`${height}\n`),
});
