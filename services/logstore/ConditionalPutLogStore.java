// Delta's commits from Spark to S3 by a conditional put: of all drivers and other writers of a version exactly one wins.

package atrium.spark;

import io.delta.storage.HadoopFileSystemLogStore;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Arrays;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.s3a.S3AFileSystem;
import org.apache.hadoop.fs.s3a.impl.PutObjectOptions;
import software.amazon.awssdk.awscore.AwsRequestOverrideConfiguration;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * For spark.delta.logStore.s3a.impl. Delta's own store for S3 looks whether the version is there and then writes it, so that two drivers
 * can overwrite each other's commit. This one writes with If-None-Match: *, which the store must honour (AWS does; `atrium doctor` tries it).
 */
public class ConditionalPutLogStore extends HadoopFileSystemLogStore {
  private static final int TRIES_MAX = 10;
  private static final int CONFLICT = 409;
  private static final int PRECONDITION_FAILED = 412;

  public ConditionalPutLogStore(Configuration initial) {
    super(initial);
  }

  @Override
  public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration conf) throws IOException {
    FileSystem system = path.getFileSystem(conf);
    if (!(system instanceof S3AFileSystem)) {
      throw new IOException(path + " is not read through S3A: ConditionalPutLogStore is for s3a:// only");
    }
    byte[] body = bytesOf(actions);
    if (overwrite) {
      put((S3AFileSystem) system, path, body, false);
      return;
    }
    for (int tries = 1; ; tries++) {
      try {
        put((S3AFileSystem) system, path, body, true);
        return;
      } catch (S3Exception error) {
        if (error.statusCode() != PRECONDITION_FAILED && error.statusCode() != CONFLICT) throw failed(path, error);
        byte[] there = read(system, path);
        // The answer to a put of our own was lost, and the client sent it again. A commit names its transaction: no other is the same.
        if (Arrays.equals(there, body)) return;
        if (there != null) throw new FileAlreadyExistsException(path.toString());
        if (tries == TRIES_MAX) throw failed(path, error);
      }
    }
  }

  @Override
  public Boolean isPartialWriteVisible(Path path, Configuration conf) {
    return false;
  }

  private static void put(S3AFileSystem system, Path path, byte[] body, boolean isNew) throws IOException {
    PutObjectRequest request =
        system
            .getRequestFactory()
            .newPutObjectRequestBuilder(system.pathToKey(path), PutObjectOptions.keepingDirs(), body.length, false)
            .build();
    AwsRequestOverrideConfiguration.Builder options =
        request.overrideConfiguration().map(AwsRequestOverrideConfiguration::toBuilder).orElseGet(AwsRequestOverrideConfiguration::builder);
    if (isNew) options.putHeader("If-None-Match", "*");
    try {
      system
          .getS3AInternals()
          .getAmazonS3Client("commit of Delta")
          .putObject(request.toBuilder().overrideConfiguration(options.build()).build(), RequestBody.fromBytes(body));
    } catch (S3Exception error) {
      throw error;
    } catch (SdkException error) {
      throw failed(path, error);
    }
  }

  /** The bytes of an object; null if there is none. */
  private static byte[] read(FileSystem system, Path path) throws IOException {
    try (FSDataInputStream input = system.open(path)) {
      return input.readAllBytes();
    } catch (FileNotFoundException error) {
      return null;
    }
  }

  private static byte[] bytesOf(Iterator<String> lines) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    while (lines.hasNext()) bytes.write((lines.next() + "\n").getBytes(StandardCharsets.UTF_8));
    return bytes.toByteArray();
  }

  private static IOException failed(Path path, SdkException error) {
    return new IOException("S3 did not take " + path + ": " + error.getMessage(), error);
  }
}
