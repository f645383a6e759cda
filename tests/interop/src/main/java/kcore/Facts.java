package kcore;

import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/** The protocol's APIs and error codes, as kafka-clients knows them; tests/interop/facts.c prints ours. */
public final class Facts {
    public static void main(String[] args) {
        for (ApiKeys k : ApiKeys.values())
            if (k.oldestVersion() <= k.latestVersion(false))
                System.out.printf("api %d %s %d-%d flexible %s%n", k.id, k.name, k.oldestVersion(),
                    k.latestVersion(false), flexible(k));
        for (Errors e : Errors.values())
            System.out.printf("error %d %s%s%n", e.code(), e.name(),
                e.exception() instanceof RetriableException ? " retriable" : "");
    }

    private static String flexible(ApiKeys k) {
        for (short v = 0; v <= k.latestVersion(true); v++)
            if (k.requestHeaderVersion(v) >= 2)
                return Short.toString(v);
        return "never";
    }
}
