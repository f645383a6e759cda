package kcore;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs a command against a fresh broker of Apache Kafka, whose address is appended to it. */
public final class Asked {
    public static void main(String[] args) throws Exception {
        Path base = Files.createDirectories(Path.of(args[0]));
        Broker broker = new Broker(base);
        broker.start();
        int status;
        try {
            List<String> command = new ArrayList<>(List.of(args).subList(1, args.length));
            command.add(broker.address());
            status = new ProcessBuilder(command).inheritIO().start().waitFor();
        } finally {
            broker.stop();
        }
        System.exit(status);
    }
}
