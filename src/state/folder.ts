/**
 * Paths in a folder at which pipelines, LoRAs and embeddings of Diffusers, models of transformers and LoRAs of PEFT keep what the
 * page opens; the best first.
 */
const wantedPaths = [
  'text_encoder/model.safetensors',
  'text_encoder/model.fp16.safetensors',
  'text_encoder/pytorch_model.bin',
  'adapter_model.safetensors',
  'adapter_model.bin',
  'model.safetensors',
  'pytorch_model.bin',
  'pytorch_lora_weights.safetensors',
  'pytorch_lora_weights.bin',
  'learned_embeds.safetensors',
  'learned_embeds.bin',
  'text_encoder/model.safetensors.index.json',
  'model.safetensors.index.json',
];
const besides = 'adapter_config.json';

/** Most files of a folder that are looked at. */
const mostEntries = 2000;

/** Lists a folder's entries, and those of `text_encoder` in it, by their paths. */
async function entriesOf(folder: FileSystemDirectoryEntry, prefix = ''): Promise<Map<string, FileSystemFileEntry>> {
  const found = new Map<string, FileSystemFileEntry>();
  const reader = folder.createReader();
  for (let seen = 0; seen < mostEntries; ) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) break;
    seen += entries.length;
    for (const entry of entries) {
      if (entry.isFile) found.set(prefix + entry.name, entry as FileSystemFileEntry);
      else if (prefix === '' && entry.name === 'text_encoder')
        for (const [path, inner] of await entriesOf(entry as FileSystemDirectoryEntry, 'text_encoder/'))
          found.set(path, inner);
    }
  }
  return found;
}

/**
 * Finds the file that the page opens of a dropped folder, and PEFT's settings beside it; none if there is no file of a name that is
 * known. Rejects where the folder cannot be read.
 */
export async function filesToOpen(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const entries = await entriesOf(folder);
  const path = wantedPaths.find((wanted) => entries.has(wanted));
  if (!path) return [];
  const paths = path.startsWith('adapter_model.') && entries.has(besides) ? [path, besides] : [path];
  const read = (entry: FileSystemFileEntry) => new Promise<File>((resolve, reject) => entry.file(resolve, reject));
  return Promise.all(paths.map((own) => read(entries.get(own)!)));
}
