/** How far a joining node is, on a terminal. */
import { Presets, SingleBar } from 'cli-progress';
import type { JoinReport } from '../node/joining/join-report.ts';

const FORMAT = '{phase} {bar} {value} of {total} chunks | {rate} MB/s | {servers} servers, {dropped} dropped';

/** Told of each report, and of null at the end. */
export function joiningBar(stream: NodeJS.WritableStream = process.stderr): (report: JoinReport | null) => void {
  const bar = new SingleBar({ format: FORMAT, stream, hideCursor: true }, Presets.shades_classic);
  let isShown = false;
  return (report) => {
    if (report === null) return bar.stop();
    const { bytesPerSecond, chunks, chunksKept, phase, servers } = report;
    const payload = {
      phase,
      rate: (bytesPerSecond / 1e6).toFixed(1),
      servers: servers.filter((server) => server.chunks > 0).length,
      dropped: servers.filter(({ droppedBecause }) => droppedBecause !== null).length,
    };
    if (!isShown) bar.start(chunks, 0, payload);
    isShown = true;
    bar.setTotal(chunks);
    bar.update(chunksKept, payload);
  };
}
