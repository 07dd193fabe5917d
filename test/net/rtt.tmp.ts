import { createHost } from '../../src/net/host.ts';
import { FrameStream } from '../../src/net/frames.ts';
import { randomBytes } from 'node:crypto';
import { fork } from 'node:child_process';
const seed = () => ({ kind: 'ed25519' as const, secret: randomBytes(32) });
const t0 = performance.now();
if (process.argv[2] === 'server') {
  const host = await createHost({ identity: seed(), listen: ['/ip4/127.0.0.1/tcp/0'], chainId: 'x' });
  await host.handle('/echo/1', (stream, peer) => {
    const f: FrameStream = new FrameStream(stream, peer, {
      maxFrameBytes: 1 << 22,
      onFrame: (b) => {
        f.send([b]);
      },
    });
  });
  process.send!({ peerId: host.peerId, multiaddrs: host.addresses() });
  let cpu = process.cpuUsage();
  process.on('message', (m) => {
    if (m === 'cpu') {
      const c = process.cpuUsage(cpu);
      cpu = process.cpuUsage();
      process.send!((c.user + c.system) / 1000);
    } else host.stop().then(() => process.exit());
  });
} else {
  const host = await createHost({ identity: seed(), listen: ['/ip4/127.0.0.1/tcp/0'], chainId: 'x' });
  console.log(
    'start',
    (performance.now() - t0).toFixed(0),
    'ms, since process start',
    performance.now().toFixed(0),
    'rss',
    (process.memoryUsage().rss / 1e6).toFixed(0),
  );
  const child = fork(process.argv[1]!, ['server']);
  const msg = () => new Promise<any>((r) => child.once('message', r));
  const target = await msg();
  let t = performance.now();
  const stream = await host.open(target, '/echo/1', { deadlineMs: 5000 });
  console.log('dial+open', (performance.now() - t).toFixed(1), host.connections()[0]?.encryption);
  let on: () => void = () => {};
  const f = new FrameStream(stream, target.peerId, { maxFrameBytes: 1 << 22, onFrame: () => on() });
  const rt = (b: Uint8Array) =>
    new Promise<void>((r) => {
      on = r;
      f.send([b]);
    });
  for (const size of [100, 1024, 1024, 16384, 100_000, 1 << 20]) {
    const b = new Uint8Array(size);
    const n = size > 50000 ? 100 : 2000;
    for (let i = 0; i < n / 4; i++) await rt(b);
    child.send('cpu');
    await msg();
    const cpu = process.cpuUsage();
    const times: number[] = [];
    for (let i = 0; i < n; i++) {
      t = performance.now();
      await rt(b);
      times.push(performance.now() - t);
    }
    const mine = process.cpuUsage(cpu);
    child.send('cpu');
    const theirs = await msg();
    times.sort((a, b) => a - b);
    console.log(
      size,
      'p50',
      times[n >> 1]!.toFixed(3),
      'p99',
      times[Math.floor(n * 0.99)]!.toFixed(3),
      'cpu/rt us: mine',
      ((mine.user + mine.system) / n).toFixed(0),
      'theirs',
      ((theirs * 1000) / n).toFixed(0),
    );
  }
  t = performance.now();
  await host.stop();
  console.log('stop', (performance.now() - t).toFixed(0));
  child.send('stop');
}
