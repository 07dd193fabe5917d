/** One plain TCP connection between every two of the processes: noDelay, frames with a length of four bytes. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Mesh {
  readonly #self: number;
  readonly #server: Server;
  readonly #sockets = new Map<number, Socket>();
  readonly #receive: (from: number, frame: Uint8Array) => void;

  constructor(self: number, receive: (from: number, frame: Uint8Array) => void) {
    this.#self = self;
    this.#receive = receive;
    this.#server = createServer((socket) => {
      socket.once('data', (hello) => {
        this.#adopt(hello[0]!, socket);
        if (hello.length > 1) socket.unshift(hello.subarray(1));
      });
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Dials those above; those below dial this one. Resolves when all are connected. */
  async join(ports: readonly number[]): Promise<void> {
    for (const [peer, port] of ports.entries()) {
      if (peer <= this.#self) continue;
      const socket = connect(port, '127.0.0.1');
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      socket.write(Uint8Array.of(this.#self));
      this.#adopt(peer, socket);
    }
    while (this.#sockets.size < ports.length - 1) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  send(to: number, frame: Uint8Array): void {
    const framed = Buffer.allocUnsafe(4 + frame.length);
    framed.writeUInt32BE(frame.length);
    framed.set(frame, 4);
    this.#sockets.get(to)?.write(framed);
  }

  broadcast(frame: Uint8Array): void {
    for (const peer of this.#sockets.keys()) this.send(peer, frame);
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#server.close();
  }

  #adopt(peer: number, socket: Socket): void {
    socket.setNoDelay(true);
    this.#sockets.set(peer, socket);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
        const end = 4 + rest.readUInt32BE();
        this.#receive(peer, rest.subarray(4, end));
        rest = rest.subarray(end);
      }
    });
  }
}
