/** Packs bytes. */
export async function compress(bytes: Uint8Array<ArrayBuffer>, format: CompressionFormat): Promise<Uint8Array> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/**
 * The most packed bytes that are handed over at a time. Browsers unpack the whole of what they are handed before any of it is
 * read, and a byte unpacks to at most 1,032: so half a megabyte at most lies unread.
 */
const sliceSize = 512;

/** Hands over the bytes slice by slice, each when the one before has been read. */
function inSlices(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream(
    {
      pull(controller) {
        if (at < bytes.length) controller.enqueue(bytes.subarray(at, at + sliceSize));
        else controller.close();
        at += sliceSize;
      },
    },
    { highWaterMark: 0 },
  );
}

/** Unpacks bytes. Returns null if they are damaged, or longer than `longest` when unpacked: no more of them is then unpacked. */
export async function decompress(
  bytes: Uint8Array<ArrayBuffer>,
  format: CompressionFormat,
  longest: number,
): Promise<Uint8Array | null> {
  const reader = inSlices(bytes).pipeThrough(new DecompressionStream(format)).getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      size += read.value.length;
      if (size > longest) {
        await reader.cancel();
        return null;
      }
      parts.push(read.value);
    }
  } catch {
    return null;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
