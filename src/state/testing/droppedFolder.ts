/** A folder of files and folders, which is read two entries at a time. */
export function droppedFolder(
  name: string,
  content: Readonly<Record<string, string | object>>,
): FileSystemDirectoryEntry {
  const entries = Object.entries(content).map(([inner, value]) =>
    typeof value === 'string'
      ? {
          ...{ name: inner, isFile: true, isDirectory: false },
          file: (resolve: (file: File) => void) => resolve(new File([value], inner)),
        }
      : droppedFolder(inner, value as Record<string, string>),
  );
  return {
    ...{ name, isFile: false, isDirectory: true },
    createReader() {
      let at = 0;
      return {
        readEntries(resolve: (entries: unknown[]) => void) {
          resolve(entries.slice(at, at + 2));
          at += 2;
        },
      };
    },
  } as unknown as FileSystemDirectoryEntry;
}
